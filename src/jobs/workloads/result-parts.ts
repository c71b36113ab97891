/** What the root block of every result has in common, whatever the workload: it names the blocks that belong to it. */
import { decode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { isBlockId } from '../../base/ids.ts'

const totalsSchema = z.object({ rows: z.int().min(0), errors: z.int().min(0) })

/** Items that a result speaks of, and those of them that could not be read; undefined where it has none, as a model. */
export function resultTotals(root: Uint8Array): { items: number; errors: number } | undefined {
  const parsed = totalsSchema.safeParse(decoded(root))
  return parsed.success ? { items: parsed.data.rows + parsed.data.errors, errors: parsed.data.errors } : undefined
}

/** The form of a result: who reads it needs not know what the job was. */
export type ResultForm = 'predictions' | 'rows' | 'model'

const forms: Record<string, ResultForm> = {
  'predictions root': 'predictions',
  'rows root': 'rows',
  'model root': 'model',
}
const kindSchema = z.object({ kind: z.string().optional(), workload: z.string().min(1).max(64).optional() })

/**
 * What a root says that it is, and of which workload. One that names no kind is of before kinds were written down, when
 * classifications alone had none. Throws PeerError of kind `integrity`.
 */
export function resultKind(root: Uint8Array): { form: ResultForm; workload?: string } {
  const parsed = kindSchema.safeParse(decoded(root))
  if (!parsed.success) throw damaged(parsed.error.issues[0].message)
  const { kind, workload } = parsed.data
  if (kind === undefined) return { form: 'predictions', workload: 'classify' }
  if (!Object.hasOwn(forms, kind)) throw damaged(`this version reads no result of the kind ${kind.slice(0, 64)}`)
  const known = { predictions: 'classify', model: 'train' } as const
  const form = forms[kind]
  return { form, workload: workload ?? (form === 'rows' ? undefined : known[form]) }
}

const schema = z.object({ parts: z.array(z.string().refine(isBlockId, 'not a block id')) })

/** The blocks that a result is made of besides its root. Throws PeerError of kind `integrity`. */
export function resultParts(root: Uint8Array): string[] {
  const parsed = schema.safeParse(decoded(root))
  if (!parsed.success) throw damaged(parsed.error.issues[0].message)
  return parsed.data.parts
}

function decoded(root: Uint8Array): unknown {
  try {
    return decode(root)
  } catch (cause) {
    throw damaged('it is not dag-cbor', cause)
  }
}

function damaged(why: string, cause?: unknown): PeerError {
  return new PeerError({
    code: 'RESULT_INVALID',
    kind: 'integrity',
    message: `the root of a result is damaged: ${why}`,
    retry: 'elsewhere',
    cause,
  })
}
