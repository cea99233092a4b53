/** `tributary data split cancer`: real measures dealt to simulated partners as CSV files. */
import { DIAGNOSES, loadCancer } from './cancer.ts';
import { cancerPlan } from './cancer-plan.ts';
import { csvRows } from './samples/csv-lines.ts';
import { deal, type SplitManifest, type SplitOptions } from './samples/deal.ts';
import { libraryYaml, requirePlan } from './samples/plan-library.ts';
import { planYaml } from './templates.ts';

/** @throws malformed, cohort-too-large, conflict, data-invalid, not-found */
export async function splitCancer(options: SplitOptions): Promise<SplitManifest> {
  const { partners, seed = 1 } = options;
  const plan = options.plan === undefined ? undefined : requirePlan(options.plan, 'cancer');
  const load = async () => {
    const { train, test } = await loadCancer();
    return { classes: DIAGNOSES, train: csvRows(train), test: csvRows(test) };
  };
  return deal(options, load, (largest) =>
    plan ? libraryYaml(plan, { partners, seed, largest }) : planYaml(cancerPlan({ partners, seed })),
  );
}
