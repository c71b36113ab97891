/** What peers say of jobs that are over, as DAG-CBOR data and back. */
import { limits } from '../../base/limits.ts'
import { endsPerMessageMax } from '../core/ends.ts'
import type { EndsMessage } from '../core/types.ts'
import { decodeDigest, encodeDigest } from './digest.ts'
import { amount, byteString, decodeValue, encodeValue, fields, idsIn, idsOut, invalid, list, whole } from './fields.ts'

const version = 1
const bucketsMax = 256
const markMax = 0xffffffff

export function encodeEnds(message: EndsMessage): Uint8Array {
  switch (message.type) {
    case 'sums':
      return encodeValue({ v: version, type: message.type, withinMs: message.withinMs, sums: message.sums })
    case 'list':
      return encodeValue({
        v: version,
        type: message.type,
        withinMs: message.withinMs,
        buckets: message.buckets,
        jobs: idsOut(message.marks.map(({ job }) => job)),
        marks: message.marks.map(({ mark }) => mark),
      })
    case 'told':
      return encodeValue({
        v: version,
        type: message.type,
        ends: message.ends.map(({ end, agoMs }) => ({ end: encodeDigest(end), agoMs })),
        want: idsOut(message.want),
      })
  }
}

/** Throws PeerError of kind `protocol`. */
export function decodeEnds(bytes: Uint8Array): EndsMessage {
  const map = fields(decodeValue(bytes, limits.messageBytesMax), 'ends')
  if (map.v !== version) throw invalid(`version is ${version}`, map.v)
  const withinMs = () => amount(map.withinMs, 'withinMs')
  switch (map.type) {
    case 'sums': {
      const sums = list(map.sums, bucketsMax, 'sums', sum => whole(sum, markMax, 'sum'))
      return { type: 'sums', withinMs: withinMs(), sums }
    }
    case 'list': {
      const jobs = idsIn(map.jobs, limits.jobsMax, 'jobs')
      const marks = list(map.marks, limits.jobsMax, 'marks', mark => whole(mark, markMax, 'mark'))
      if (marks.length !== jobs.length) throw invalid('there is a mark for each job')
      return {
        type: 'list',
        withinMs: withinMs(),
        buckets: list(map.buckets, bucketsMax, 'buckets', bucket => whole(bucket, bucketsMax - 1, 'bucket')),
        marks: jobs.map((job, at) => ({ job, mark: marks[at] })),
      }
    }
    case 'told':
      return {
        type: 'told',
        ends: list(map.ends, endsPerMessageMax, 'ends', value => {
          const one = fields(value, 'end')
          const end = decodeDigest(byteString(one.end, limits.gossipBytesMax, 'end'))
          if (!end.outcome) throw invalid('only jobs that are over are told of')
          return { end, agoMs: amount(one.agoMs, 'agoMs') }
        }),
        want: idsIn(map.want, endsPerMessageMax, 'want'),
      }
    default:
      throw invalid('type is sums, list or told', map.type)
  }
}
