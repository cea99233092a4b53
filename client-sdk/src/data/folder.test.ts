import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Features } from '@tributary/protocol';
import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadFolder } from './folder.ts';

type ImageFeatures = Extract<Features, { kind: 'image' }>;
const grey: ImageFeatures = {
  kind: 'image',
  height: 2,
  width: 4,
  channels: 1,
  scale: 1 / 255,
  mean: 0,
  std: 1,
  classes: ['cat', 'dog', '../up'],
};
const colour: ImageFeatures = { ...grey, channels: 3 };
const pixels = Uint8Array.from({ length: 24 }, (_, i) => i * 10);

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tributary-images-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function put(path: string, bytes: Uint8Array | string) {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), bytes);
}
const rgb = (width = 4, height = 2, values = pixels) =>
  sharp(values, { raw: { width, height, channels: 3 } });
const bytesOf = (features: Float32Array) => [...features].map((x) => Math.round(x * 255));

describe('image folders', () => {
  it('give pixels and labels in the order of names, labels by folder name', async () => {
    await put('dog/b.png', await rgb().png().toBuffer());
    await put('dog/a.jpeg', await rgb().jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer());
    await put('cat/z.PNG', await rgb().png().toBuffer());
    await put('cat/.DS_Store', 'x');
    const data = await loadFolder(root, colour);
    expect([data.rows, data.shape, [...data.labels]]).toEqual([3, [2, 4, 3], [0, 1, 1]]);
    expect(bytesOf(data.features.subarray(0, 24))).toEqual([...pixels]);
    expect(bytesOf(data.features.subarray(48))).toEqual([...pixels]);
    for (const [i, byte] of bytesOf(data.features.subarray(24, 48)).entries())
      expect(Math.abs(byte - pixels[i]!)).toBeLessThan(8);
  });

  it('become grey or colour as the plan says, without alpha, from palettes and 16 bits as well', async () => {
    const flat = (value: number, channels: 1 | 3 | 4) =>
      sharp(new Uint8Array(8 * channels).fill(value), { raw: { width: 4, height: 2, channels } });
    await put('cat/1-grey.png', await flat(90, 1).toColourspace('b-w').png().toBuffer());
    await put('cat/2-alpha.png', await flat(90, 4).png().toBuffer());
    await put('cat/3-palette.png', await flat(90, 3).png({ palette: true }).toBuffer());
    await put('cat/4-deep.png', await flat(90, 3).toColourspace('rgb16').png().toBuffer());
    await put('cat/5-deep-grey.png', await flat(90, 1).toColourspace('grey16').png().toBuffer());
    await put('cat/6-cmyk.jpg', await flat(90, 3).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer());
    for (const features of [grey, colour]) {
      const data = await loadFolder(root, features);
      expect(data.rows).toBe(6);
      for (const byte of bytesOf(data.features.subarray(0, 5 * 8 * features.channels))) expect(byte).toBe(90);
      // There and back through a printing profile.
      for (const byte of bytesOf(data.features)) expect(Math.abs(byte - 90)).toBeLessThan(20);
    }
  });

  it('keep order with more files than are decoded at once', async () => {
    for (let i = 0; i < 30; i++)
      await put(
        `cat/${String(i).padStart(2, '0')}.png`,
        await rgb(
          4,
          2,
          pixels.map(() => i * 8),
        )
          .png()
          .toBuffer(),
      );
    const data = await loadFolder(root, grey);
    expect(bytesOf(data.features).filter((_, p) => p % 8 === 0)).toEqual(
      Array.from({ length: 30 }, (_, i) => i * 8),
    );
  });
});

describe('a folder is refused', () => {
  it('with an image of another size, naming both sizes, and is not resized', async () => {
    await put('cat/a.png', await rgb(2, 4).png().toBuffer());
    await expect(loadFolder(root, grey)).rejects.toThrow(/a\.png is 2 x 4 pixels, the plan wants 4 x 2/);
  });

  it('with a huge image, before it is decoded', async () => {
    const bomb = sharp({ create: { width: 8000, height: 8000, channels: 3, background: 'black' } });
    await put('cat/bomb.png', await bomb.png({ compressionLevel: 1 }).toBuffer());
    const before = process.memoryUsage().rss;
    await expect(loadFolder(root, grey)).rejects.toThrow(/8000 x 8000 pixels/);
    expect(process.memoryUsage().rss - before).toBeLessThan(120e6);
  });

  it('with damaged, truncated and foreign files', async () => {
    const noise = Uint8Array.from({ length: 300 * 300 * 3 }, (_, i) => Math.imul(i, 2654435761) >>> 24);
    const jpeg = await rgb(300, 300, noise).jpeg().toBuffer();
    const large = { ...grey, height: 300, width: 300 };
    await put('cat/a.jpg', jpeg.subarray(0, jpeg.length / 2));
    await expect(loadFolder(root, large)).rejects.toMatchObject({ code: 'data-invalid' });
    await expect(loadFolder(root, large)).rejects.toThrow(/a\.jpg cannot be decoded/);
    await put('cat/a.jpg', 'no image');
    await expect(loadFolder(root, grey)).rejects.toThrow(/cannot be decoded/);
    await put('cat/a.jpg', '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="2"></svg>');
    await expect(loadFolder(root, grey)).rejects.toThrow(/is a svg file, not PNG or JPEG/);
    await put('cat/a.jpg', await rgb().webp().toBuffer());
    await expect(loadFolder(root, grey)).rejects.toThrow(/is a webp file/);
  });

  it.each([
    ['a file that is no image', 'cat/notes.txt', /notes\.txt is not a PNG or JPEG/],
    ['a folder that is no class', 'bird/a.png', /bird is not named after a class of the plan \("cat", "dog"/],
    ['a file beside the classes', 'a.png', /a\.png is not a folder/],
  ])('with %s', async (_, path, message) => {
    await put(path, 'x');
    await expect(loadFolder(root, grey)).rejects.toThrow(message);
  });

  it('with nothing in it, or where there is none', async () => {
    await mkdir(join(root, 'cat'));
    await expect(loadFolder(root, grey)).rejects.toThrow(/holds no images/);
    await expect(loadFolder(join(root, 'none'), grey)).rejects.toThrow(/none does not exist/);
  });

  it('when a class name of the plan climbs out of the folder: it is matched, never opened', async () => {
    await put('up/secret.png', await rgb().png().toBuffer());
    await put('images/cat/a.png', await rgb().png().toBuffer());
    const data = await loadFolder(join(root, 'images'), grey);
    expect([...data.labels]).toEqual([0]);
  });

  it('when a link stands for an image', async () => {
    await put('dog/a.png', await rgb().png().toBuffer());
    await mkdir(join(root, 'cat'));
    await symlink(join(root, 'dog/a.png'), join(root, 'cat/link.png'));
    await expect(loadFolder(root, grey)).rejects.toThrow(/link\.png is not a PNG or JPEG file/);
  });

  it('without sharp, telling what to install', async () => {
    await put('cat/a.png', 'x');
    const missing = () => Promise.reject(new Error("Cannot find package 'sharp'"));
    await expect(loadFolder(root, grey, missing)).rejects.toMatchObject({
      code: 'data-invalid',
      message: expect.stringContaining('sharp, which is missing'),
      remedy: expect.stringContaining('npm install sharp'),
    });
  });
});
