/** Classification of images by one network or an ensemble, as a workload. */
import type { Workload } from '../workload.ts'
import { classifyMerger } from './merge.ts'
import { openClassifier } from './run.ts'
import { parseClassifySpec } from './spec.ts'

/** A network's file goes by its place: names need not differ. */
export const modelFile = (place: number): string => `model-${place}`

export const classify: Workload = {
  kind: 'classify',
  files: body => parseClassifySpec(body).models.map((model, place) => ({ name: modelFile(place), ...model.file })),
  open: (body, files, backend) =>
    openClassifier(parseClassifySpec(body), place => files.get(modelFile(place)), backend),
  merger: (body, sink) => classifyMerger(parseClassifySpec(body), sink),
}
