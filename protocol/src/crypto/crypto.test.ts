/** The acceptance suite of the Crypto port: published vectors, the same for every adapter. */
import { createCipheriv } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concat, fromHex, toHex, utf8 } from '../encoding.ts';
import { nodeCrypto } from './node.ts';
import { portableCrypto } from './portable.ts';

const hex = fromHex;
const fill = (byte: string, times: number) => hex(byte.repeat(times));
const range = (from: number, to: number) => Uint8Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe.each([portableCrypto, nodeCrypto])('Crypto adapter $name', (crypto) => {
  it.each([
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    [
      'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    ],
    ['a'.repeat(1_000_000), 'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0'],
  ])('SHA-256, FIPS 180 example %#', (text, digest) => {
    expect(toHex(crypto.sha256(utf8(text)))).toBe(digest);
  });

  it.each([
    [fill('0b', 20), utf8('Hi There'), 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7'],
    [
      utf8('Jefe'),
      utf8('what do ya want for nothing?'),
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    [fill('aa', 20), fill('dd', 50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
    [range(1, 25), fill('cd', 50), '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b'],
    [
      fill('aa', 131),
      utf8('Test Using Larger Than Block-Size Key - Hash Key First'),
      '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    ],
    [
      fill('aa', 131),
      utf8(
        'This is a test using a larger than block-size key and a larger than block-size data. ' +
          'The key needs to be hashed before being used by the HMAC algorithm.',
      ),
      '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
    ],
  ])('HMAC-SHA-256, RFC 4231 section 4, case %#', (key, data, mac) => {
    expect(toHex(crypto.hmac(key, data))).toBe(mac);
  });

  it.each([
    [
      fill('0b', 22),
      range(0x00, 0x0c),
      range(0xf0, 0xf9),
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    ],
    [
      range(0x00, 0x4f),
      range(0x60, 0xaf),
      range(0xb0, 0xff),
      'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09' +
        'da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87',
    ],
    [
      fill('0b', 22),
      hex(''),
      hex(''),
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    ],
  ])('HKDF-SHA-256, RFC 5869 A.1 to A.3, case %#', (secret, salt, info, okm) => {
    expect(toHex(crypto.hkdf(secret, salt, info, okm.length / 2))).toBe(okm);
  });

  it.each([
    {
      name: 'TEST 1',
      seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
      key: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
      message: '',
      signature:
        'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b' +
        'd25bf5f0595bbe24655141438e7a100b',
    },
    {
      name: 'TEST 2',
      seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
      key: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
      message: '72',
      signature:
        '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c' +
        '387b2eaeb4302aeeb00d291612bb0c00',
    },
    {
      name: 'TEST 3',
      seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
      key: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
      message: 'af82',
      signature:
        '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659' +
        '4a7c15e9716ed28dc027beceea1ec40a',
    },
    {
      name: 'TEST SHA(abc)',
      seed: '833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42',
      key: 'ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf',
      message:
        'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd' +
        '454d4423643ce80e2a9ac94fa54ca49f',
      signature:
        'dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e030' +
        '3dca179c138ac17ad9bef1177331a704',
    },
  ])('Ed25519, RFC 8032 7.1 $name', ({ seed, key, message, signature }) => {
    expect(toHex(crypto.ed25519PublicKey(hex(seed)))).toBe(key);
    expect(toHex(crypto.ed25519Sign(hex(message), hex(seed)))).toBe(signature);
    expect(crypto.ed25519Verify(hex(signature), hex(message), hex(key))).toBe(true);
    expect(crypto.ed25519Verify(hex(signature), concat(hex(message), hex('00')), hex(key))).toBe(false);
  });

  it.each([
    [
      'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
      'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
      'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
    ],
    [
      '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
      'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
      '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
    ],
  ])('X25519, RFC 7748 5.2 vector %#', (scalar, u, shared) => {
    expect(toHex(crypto.x25519(hex(scalar), hex(u)))).toBe(shared);
  });

  it('X25519, RFC 7748 5.2, iterated once and a thousand times', () => {
    let k = hex(`09${'00'.repeat(31)}`);
    let u = k;
    [k, u] = [crypto.x25519(k, u), k];
    expect(toHex(k)).toBe('422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079');
    for (let i = 1; i < 1000; i++) [k, u] = [crypto.x25519(k, u), k];
    expect(toHex(k)).toBe('684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51');
  });

  it('X25519, RFC 7748 6.1', () => {
    const alice = hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
    const bob = hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb');
    const alicePublic = crypto.x25519PublicKey(alice);
    const bobPublic = crypto.x25519PublicKey(bob);
    expect(toHex(alicePublic)).toBe('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
    expect(toHex(bobPublic)).toBe('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
    const shared = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';
    expect(toHex(crypto.x25519(alice, bobPublic))).toBe(shared);
    expect(toHex(crypto.x25519(bob, alicePublic))).toBe(shared);
  });

  it('ChaCha20-Poly1305, RFC 8439 2.8.2', () => {
    const key = range(0x80, 0x9f);
    const nonce = hex('070000004041424344454647');
    const aad = hex('50515253c0c1c2c3c4c5c6c7');
    const plaintext = utf8(
      "Ladies and Gentlemen of the class of '99: " +
        'If I could offer you only one tip for the future, sunscreen would be it.',
    );
    const sealed =
      'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71' +
      'de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def0' +
      '8e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691';
    expect(toHex(crypto.seal(key, nonce, plaintext, aad))).toBe(sealed);
    expect(crypto.open(key, nonce, hex(sealed), aad)).toEqual(plaintext);
  });

  it('AES-256-CTR from a zero counter: zero key, the blocks that the GCM specification prints', () => {
    // McGrew and Viega, "The Galois/Counter Mode of Operation", test cases 13 and 14: under the zero key block 0 is
    // the hash key H, block 1 the tag of the empty message, block 2 the ciphertext of one zero block.
    expect(toHex(crypto.keystream(new Uint8Array(32)).next(48))).toBe(
      'dc95c078a2408989ad48a21492842087530f8afbc74536b9a963b4f1c4cb738bcea7403d4d606b6e074ec5d3baf39d18',
    );
  });

  it('AES-256-CTR from a zero counter is AES-256-ECB of 0, 1, 2, ... (SP 800-38A 6.5)', () => {
    // SP 800-38A F.5.5 itself starts at another counter, which the port cannot do: same key, other blocks.
    const key = hex('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4');
    const counters = new DataView(new ArrayBuffer(16 * 1000));
    for (let i = 0; i < 1000; i++) counters.setUint32(16 * i + 12, i);
    const ecb = createCipheriv('aes-256-ecb', key, null).update(new Uint8Array(counters.buffer));
    expect(toHex(crypto.keystream(key).next(16_000))).toBe(ecb.toString('hex'));
  });
});
