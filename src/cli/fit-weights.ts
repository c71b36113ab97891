/** An ensemble's weights from images whose folders are their labels: a job of the mesh classifies them with every model. */
import { basename, dirname } from 'node:path'
import { PeerError } from '../base/errors.ts'
import { fitMixtureWeights, type MixtureWeights } from '../learn/ensemble/mixture-weights.ts'
import type { Control, JobRequest, ResultItem } from '../peer/control.ts'
import { follow, requireFinal } from './follow.ts'

export interface FittedWeights extends MixtureWeights {
  /** Models' names, in the order of the weights. */
  names: string[]
  images: number
}

/** Probabilities of so many labels are kept for each image; beyond them a label counts as impossible. */
const labelsKept = 1000

type Classify = Omit<Extract<JobRequest, { workload: 'classify' }>, 'workload' | 'merge' | 'weights' | 'top'>

/** @throws PeerError as the job's; WEIGHTS_UNLABELLED where no folder is a label */
export async function fitWeights(control: Control, request: Classify, signal: AbortSignal): Promise<FittedWeights> {
  const { job } = await control.submit({ ...request, workload: 'classify', merge: 'mean', top: labelsKept }, signal)
  const ended = await follow(control, job, signal)
  if (!ended) {
    await control.cancel(job)
    throw new PeerError({ code: 'INTERRUPTED', kind: 'aborted', message: 'stopped, and the job with it' })
  }
  requireFinal(ended)
  const { names, truths } = await truthsOf(control.results(job))
  if (truths[0]?.length === 0 || truths.length === 0) {
    throw new PeerError({
      code: 'WEIGHTS_UNLABELLED',
      kind: 'input',
      message: `no image in ${request.inputs.join(', ')} lies in a folder that is called as one of the labels: weights are fitted to images whose labels are known`,
    })
  }
  return { names, images: truths[0].length, ...fitMixtureWeights(truths.map(list => Float64Array.from(list))) }
}

/** What each model gave to each image's own label. */
async function truthsOf(items: AsyncIterable<ResultItem>): Promise<{ names: string[]; truths: number[][] }> {
  let names: string[] = []
  let labels = new Set<string>()
  let truths: number[][] = []
  for await (const item of items) {
    if (item.type === 'header') {
      names = item.models
      labels = new Set(item.labels)
      truths = names.map(() => [])
    }
    if (item.type !== 'row') continue
    const label = basename(dirname(item.path))
    if (!labels.has(label)) continue
    item.models.forEach(({ top }, m) => {
      truths[m].push(top.find(one => one.label === label)?.score ?? 0)
    })
  }
  return { names, truths }
}
