/**
 * Training on images: a job of the mesh takes their features, which become a table with the folder of each image for its
 * label; what is trained on that table takes images.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { PeerError } from '../base/errors.ts'
import { openRowsWriter, type RowsColumn } from '../data/writers/rows.ts'
import type { Control, JobRequest } from '../peer/control.ts'
import { follow, requireFinal } from './follow.ts'
import type { BareRequest } from './submit-job.ts'

/** Options of `parseImageFeatures`, or `{ kind: 'network', model, output }`. */
export type FeatureChoice = Record<string, unknown>

export interface FeatureTable {
  /** The part of a training's request that follows from the table. */
  request: Pick<Extract<BareRequest, { workload: 'train' }>, 'inputs' | 'table' | 'images'>
  images: number
  unreadable: number
  classes: number
  /** Removes the table; once the training has read it. */
  remove(): Promise<void>
}

const labelColumn = 'label'

/**
 * @param inputs folders of images, or such; the folder that an image lies in is its class
 * @throws PeerError as the job's; JOB_CANCELLED, INTERRUPTED
 */
export async function featureTable(
  control: Control,
  { inputs, cwd, features }: { inputs: string[]; cwd: string; features: FeatureChoice },
  signal: AbortSignal,
): Promise<FeatureTable> {
  const { kind, model, output } = features
  const wanted: JobRequest =
    kind === 'network'
      ? {
          workload: 'embed',
          inputs,
          cwd,
          model: String(model),
          output: output === undefined ? undefined : String(output),
        }
      : { workload: 'features', inputs, cwd, features }
  const { job } = await control.submit(wanted, signal)
  const ended = await follow(control, job, signal)
  if (!ended) {
    await control.cancel(job)
    throw new PeerError({ code: 'INTERRUPTED', kind: 'aborted', message: 'stopped, and the job with it' })
  }
  requireFinal(ended)
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-features-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    return { ...(await writeTable(control, job, join(folder, 'features.parquet'), features)), remove }
  } catch (thrown) {
    await remove()
    throw thrown
  }
}

async function writeTable(control: Control, job: string, out: string, images: FeatureChoice) {
  let writer: Awaited<ReturnType<typeof openRowsWriter>> | undefined
  let columns: readonly RowsColumn[] = []
  const classes = new Set<string>()
  let unreadable = 0
  try {
    for await (const item of control.results(job)) {
      if (item.type === 'columns') {
        columns = item.columns
        const all: RowsColumn[] = [{ name: labelColumn, kind: 'text' }, ...columns]
        writer = await openRowsWriter({ out, columns: all, key: 'path', rows: item.rows })
      } else if (item.type === 'rows') {
        const labels = item.rows.keys.map(path => basename(dirname(path)))
        for (const label of labels) classes.add(label)
        const names = [...new Set(labels)]
        const places = labels.map(label => names.indexOf(label))
        await writer?.write({ ...item.rows, texts: [{ names, places }] })
      } else if (item.type === 'error') unreadable++
    }
    const written = await writer?.close()
    return {
      request: {
        inputs: [out],
        table: { features: columns.map(column => column.name), label: labelColumn },
        images,
      },
      images: written?.rows ?? 0,
      unreadable,
      classes: classes.size,
    }
  } catch (thrown) {
    await writer?.abort()
    throw thrown
  }
}
