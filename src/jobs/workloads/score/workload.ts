/** Scoring of tables by classical models and networks, as a workload. */
import { rowsMerger } from '../rows/merge.ts'
import type { Workload } from '../workload.ts'
import { openScorer } from './run.ts'
import { parseScoreSpec, scoreColumns } from './spec.ts'

/** A model's file goes by its place: names need not differ. */
export const modelFile = (place: number): string => `model-${place}`

export const score: Workload = {
  kind: 'score',
  files: body => parseScoreSpec(body).models.map((model, place) => ({ name: modelFile(place), ...model.file })),
  open: async (body, files, backend) => openScorer(parseScoreSpec(body), place => files.get(modelFile(place)), backend),
  merger: (body, sink) => rowsMerger('score', scoreColumns(parseScoreSpec(body)), 'row', sink),
}
