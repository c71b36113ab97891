/** Whose trouble an error is: the table, row by row. */
import { expect, test } from 'vitest'
import { PeerError } from '../../src/base/errors.ts'
import { machineTrouble, machineUnfit, partyOf } from '../../src/base/trouble.ts'

const coded = (code: string, message = 'it failed') => Object.assign(new Error(message), { code })
const wrapped = (thrown: unknown) => PeerError.from(thrown, { code: 'SHARD_FAILED', kind: 'resource' })

test.each([
  ...['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'ENOSPC', 'EAGAIN', 'EINTR'],
  ...['ERR_MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED', 'ERR_WORKER_OUT_OF_MEMORY'],
])('%s is the machine’s, and another peer takes the shard', code => {
  expect(machineTrouble(coded(code))).toMatch(/: /)
  expect(machineTrouble(new Error('a wrapper', { cause: coded(code) }))).toBeDefined()
  expect(partyOf(wrapped(coded(code)))).toBe('peer')
})

test.each([
  ['libvips', 'Input buffer: out of memory'],
  ['sharp', 'Could not load the "sharp" module using the linux-x64 runtime'],
  ['V8', 'Array buffer allocation failed'],
])('a text of %s that has no code', (_who, message) => {
  expect(machineTrouble(new Error(message))).toBeDefined()
})

test.each(['ENOENT', 'EACCES', 'EISDIR'])('%s says nothing of the machine', code => {
  expect(machineTrouble(coded(code))).toBeUndefined()
})

test.each([
  ['a network that no peer can run', 'job', { code: 'MODEL_UNSUPPORTED_OP', kind: 'model' }],
  ['a contradiction in the spec', 'job', { code: 'FILE_INVALID', kind: 'integrity' }],
  ['an option that no peer takes', 'job', { code: 'INPUT_OPTIONS', kind: 'input' }],
  ['a block of a peer that is away', 'way', { code: 'BLOCK_ABSENT', kind: 'transport', retry: 'elsewhere' }],
  ['a lane that died', 'shard', { code: 'LANE_DIED', kind: 'resource', retry: 'later' }],
  ['a device without memory', 'peer', { code: 'OUT_OF_MEMORY', kind: 'resource', retry: 'elsewhere' }],
  ['a store that refuses', 'peer', { code: 'STORE_UNUSABLE', kind: 'resource', retry: 'later' }],
] as const)('%s: %s', (_what, party, init) => {
  expect(partyOf(new PeerError({ ...init, message: '' }))).toBe(party)
})

test('a bug of ours is tried elsewhere, and does not end the job at the first word', () => {
  expect(partyOf(wrapped(new TypeError('x is not a function')))).toBe('shard')
})

test('what a machine cannot do survives a thread: the party does not hang on the cause', () => {
  const there = new PeerError(machineUnfit('decode images', coded('EMFILE')).toJSON())
  expect(there.message).toBe('cannot decode images: too many open files: raise the limit (ulimit -n)')
  expect(partyOf(there)).toBe('peer')
})
