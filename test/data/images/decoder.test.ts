/** A machine without its decoder is told so in one line. */
import { expect, test } from 'vitest'
import { decoderMissing } from '../../../src/data/images/sharp.ts'

test('sharp’s page of advice becomes one line with what to do', () => {
  const cause = new Error('Could not load the "sharp" module using the linux-x64 runtime\nPossible solutions:\n- …')
  const { code, kind, message } = decoderMissing(cause)
  expect({ code, kind }).toEqual({ code: 'DECODER_MISSING', kind: 'resource' })
  expect(message).toMatch(/cannot decode pictures.*"sharp" module.*npm install --include=optional$/)
  expect(message).not.toContain('\n')
  expect(decoderMissing('odd').message).toContain('(odd)')
})
