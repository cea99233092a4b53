/** From a sample of images to a plan. */
import { classHead, type Draft, type PlanningOptions } from './draft.ts';
import { sampleProblem } from './finding.ts';
import type { ImageSample } from './image-sample.ts';
import { autoencoderNetwork, imageNetwork } from './networks.ts';
import { disclosure } from './sample-findings.ts';

/** @throws data-invalid when the options ask for what images cannot give */
export function imageDraft(sample: ImageSample, { task, label, time }: PlanningOptions, name: string): Draft {
  const { height, width, channels, classes, rows } = sample;
  if (label !== undefined || time !== undefined || (task && task !== 'classify' && task !== 'autoencode'))
    throw sampleProblem(
      `${sample.path} holds images: their folders or label file are the label, the task is classify or autoencode.`,
      'Leave --label and --time out, and pass --task classify or --task autoencode.',
    );
  const rebuilds = task === 'autoencode';
  const head = classHead(classes.length);
  const network = rebuilds
    ? autoencoderNetwork([height, width, channels], true)
    : imageNetwork(height, width, channels, head.output);
  const size = `${width} x ${height} ${channels === 1 ? 'grey' : 'colour'} pixels`;
  return {
    task: rebuilds ? 'autoencode' : 'classify',
    taskWhy: task ? 'as --task says' : `images in ${classes.length} classes`,
    name,
    description: rebuilds
      ? `Rebuilds images of ${size} from a short code, to find unusual ones.`
      : `Tells ${classes.length} classes of images of ${size} apart.`,
    examples: rows,
    label: rebuilds
      ? undefined
      : { name: 'class', why: 'the folder of an image, or its entry in the label file' },
    columns: [],
    features: {
      kind: 'image',
      height,
      width,
      channels,
      scale: 1 / 255,
      mean: 0,
      std: 1,
      classes: [...classes],
      ...(rebuilds ? { label: { kind: 'features' as const } } : {}),
    },
    network,
    net: network.why.includes('convolutions,') ? 'convolution' : 'mlp',
    loss: rebuilds ? 'meanSquaredError' : head.loss,
    metrics: rebuilds ? ['meanAbsoluteError'] : head.metrics,
    findings: [...sample.findings, disclosure('the names of the classes and the size')],
    why: {
      'features.classes': 'in label order; folders are named after them',
      'features.channels': channels === 1 ? 'grey' : 'red, green, blue',
    },
  };
}
