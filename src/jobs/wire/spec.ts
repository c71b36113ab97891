/**
 * A job's signed spec: what is to be done, for whom. The SHA-256 of its bytes is the job's id, so that whoever knows the
 * id can check the spec, and the nonce makes two submissions of the same work two jobs.
 */
import type { PeerKey } from '../../base/ids.ts'
import { fields, peerKey, present, text, whole } from './fields.ts'
import { decodeSigned, encodeSigned, type Sign, type Verify } from './signed.ts'
import { type JobTitle, readTitle } from './title.ts'

export interface JobSpec {
  /** Which workload reads `body`: `classify`. */
  workload: string
  /** Plain data of the workload's own shape, which the workload checks. Bytes are allowed. */
  body: unknown
  /** The owner, who signs. */
  submitter: PeerKey
  nonce: string
  /** Milliseconds since 1970, by the submitter's clock. */
  createdMs: number
  /** 0 is usual; higher goes first. */
  priority: number
  /** For people; absent in jobs of older peers. */
  title?: JobTitle
}

const purpose = 'job spec'
const wordCharsMax = 128
/** Of a job; 0 is usual. */
export const priorityMax = 1000

/** The block that the job is named after. Throws PeerError when it is larger than a block. */
export function encodeSignedSpec(spec: JobSpec, sign: Sign): Promise<Uint8Array> {
  const { workload, submitter, nonce, createdMs, priority, title } = spec
  const statement = plain({ workload, body: spec.body, submitter, nonce, createdMs, priority, title })
  return encodeSigned(purpose, statement, sign)
}

/** Throws PeerError: `protocol` when it is no spec, `integrity` when the submitter did not sign it. */
export function decodeSignedSpec(block: Uint8Array, verify: Verify): Promise<JobSpec> {
  return decodeSigned(purpose, block, verify, read, spec => spec.submitter)
}

function read(statement: unknown): JobSpec {
  const map = fields(statement, 'a spec')
  return {
    workload: text(map.workload, wordCharsMax, 'workload'),
    body: map.body,
    submitter: peerKey(map.submitter, 'submitter'),
    nonce: text(map.nonce, wordCharsMax, 'nonce'),
    createdMs: whole(map.createdMs, Number.MAX_SAFE_INTEGER, 'createdMs'),
    priority: whole(map.priority, priorityMax, 'priority'),
    ...(map.title !== undefined && { title: readTitle(map.title) }),
  }
}

/** Without `undefined` members, which DAG-CBOR cannot write. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value
  return present(Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)])))
}
