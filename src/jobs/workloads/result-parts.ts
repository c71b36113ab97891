/** What the root block of every result has in common, whatever the workload: it names the blocks that belong to it. */
import { decode } from '@ipld/dag-cbor'
import { z } from 'zod'
import { PeerError } from '../../base/errors.ts'
import { isBlockId } from '../../base/ids.ts'

const schema = z.object({ parts: z.array(z.string().refine(isBlockId, 'not a block id')) })

/** The blocks that a result is made of besides its root. Throws PeerError of kind `integrity`. */
export function resultParts(root: Uint8Array): string[] {
  let value: unknown
  try {
    value = decode(root)
  } catch (cause) {
    throw damaged('it is not dag-cbor', cause)
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw damaged(parsed.error.issues[0].message)
  return parsed.data.parts
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
