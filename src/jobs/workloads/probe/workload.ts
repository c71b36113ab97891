/** Shards that hold nothing and ask for nothing: what is left is the mesh itself, to be measured. Each gives one row, the number 1. */
import { z } from 'zod'
import { limits } from '../../../base/limits.ts'
import { rowsMerger } from '../rows/merge.ts'
import { type Column, encodeRows } from '../rows/result.ts'
import type { Workload } from '../workload.ts'

export const probeSpec = z.strictObject({ shards: z.int().min(1).max(limits.shardsMax) })

const columns: Column[] = [{ name: 'one', kind: 'number' }]

export const probe: Workload = {
  kind: 'probe',
  files: () => [],
  open: async (_body, _files, backend) => {
    const row = {
      keys: [],
      firstRow: 0,
      rows: 1,
      numbers: Float32Array.of(1),
      texts: [],
      errors: [],
      numericClasses: [backend.numericClass],
    }
    const bytes = encodeRows(row)
    return { run: async () => ({ bytes, items: 1, errors: 0 }), close() {} }
  },
  merger: (_body, sink) => rowsMerger('probe', columns, 'row', sink),
}
