/** Files that are not what they say: each gives one clear error, or a model; none crashes, hangs or allocates without bound. */
import { describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { prng } from '../../../src/base/prng.ts'
import { loadModel, planModel } from '../../../src/compute/engine/model.ts'
import { sharedModels } from '../shared-models.ts'

/** `fine`, or the code of the PeerError; anything else that is thrown fails the test. */
function outcome(bytes: Uint8Array): string {
  try {
    const model = loadModel(bytes)
    planModel(model, { batch: model.fixedBatch ?? 2 })
    return 'fine'
  } catch (error) {
    if (!(error instanceof PeerError)) throw error
    expect(error.kind).toBe('model')
    expect(error.message).not.toContain('\n')
    return error.code
  }
}

test.each([
  ['an empty file', ''],
  ['a text', 'this is not a network'],
  ['a JPEG', '\xff\xd8\xff\xe0\x00\x10JFIF\x00'],
  ['zeros', '\x00'.repeat(64)],
  ['a length beyond the end', '\x3a\xff\xff\xff\xff\x0f'],
  ['an endless varint', '\xff'.repeat(40)],
])('%s is not ONNX', (_, text) => {
  expect(outcome(Buffer.from(text, 'latin1'))).toBe('MODEL_NOT_ONNX')
})

describe.each(sharedModels('cifar10-resnet8', 'mnist'))('$name damaged', ({ bytes }) => {
  test('whole it is fine', () => expect(outcome(bytes)).toBe('fine'))

  test('cut off at 60 places', () => {
    const random = prng(1)
    const seen = new Set<string>()
    for (let i = 0; i < 60; i++) seen.add(outcome(bytes.subarray(0, random.int(bytes.length))))
    expect(seen).not.toContain('fine')
  })

  test('with bytes changed in 200 ways', () => {
    const random = prng(2)
    const seen = new Set<string>()
    for (let i = 0; i < 200; i++) {
      const damaged = bytes.slice()
      // Structure lies between the weights: small files are hit all over, large ones mostly at their start.
      const span = i % 2 ? damaged.length : Math.min(damaged.length, 6000)
      for (let hits = 1 + random.int(6); hits > 0; hits--) damaged[random.int(span)] = random.int(256)
      seen.add(outcome(damaged))
    }
    expect(seen.size).toBeGreaterThan(2)
  })
})
