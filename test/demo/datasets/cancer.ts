import { cancerPlan, splitCancer } from '@tributary/client-sdk';
import type { DemoDataset } from './port.ts';

export const cancer: DemoDataset = {
  opening: '569 real breast masses, 30 measures each,',
  rows: 'breast masses',
  testRows: 113,
  source:
    'Breast Cancer Wisconsin (Diagnostic), W. Wolberg, O. Mangasarian, N. Street, W. Street (1993), ' +
    'UCI Machine Learning Repository, doi 10.24432/C5DW2B',
  licence: 'CC BY 4.0',
  defaults: { '--epochs': '5', '--batch': '8', '--lr': '.1' },
  data: { train: { kind: 'csv', path: 'train.csv' }, test: { kind: 'csv', path: 'test.csv' } },
  agrees: true,
  async deal(order) {
    const { partners } = await splitCancer({ ...order, force: true });
    return partners.map(({ rows }) => rows);
  },
  plan: cancerPlan,
};
