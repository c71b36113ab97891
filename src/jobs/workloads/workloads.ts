/** The table of what jobs can be. A workload is loaded when the first job of its kind comes. */
import { PeerError } from '../../base/errors.ts'
import type { Workload } from './workload.ts'

const table: Record<string, () => Promise<Workload>> = {
  classify: async () => (await import('./classify/workload.ts')).classify,
  embed: async () => (await import('./embed/workload.ts')).embed,
  features: async () => (await import('./embed/workload.ts')).features,
  probe: async () => (await import('./probe/workload.ts')).probe,
  score: async () => (await import('./score/workload.ts')).score,
  train: async () => (await import('./train/workload.ts')).train,
}

/** Throws JOB_KIND_UNKNOWN for a workload that this version does not have. */
export async function workloads(kind: string): Promise<Workload> {
  if (Object.hasOwn(table, kind)) return table[kind]()
  throw new PeerError({
    code: 'JOB_KIND_UNKNOWN',
    kind: 'protocol',
    message: `this peer cannot run a ${kind.slice(0, 64)} job; it may need an update`,
    retry: 'elsewhere',
  })
}
