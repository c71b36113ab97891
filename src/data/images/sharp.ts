/** The decoder of pictures, sharp (libvips): a binary of its own for each platform, which an installation may lack. */
import type { Sharp } from 'sharp'
import { PeerError } from '../../base/errors.ts'

export type { Sharp }

async function load() {
  try {
    return (await import('sharp')).default
  } catch (cause) {
    throw decoderMissing(cause)
  }
}

/** What is the matter in one line, and what to do: sharp's own text is a page of advice. */
export function decoderMissing(cause: unknown): PeerError {
  const said = cause instanceof Error ? cause.message : String(cause)
  const [first] = said.split('\n')
  const platform = `${process.platform}-${process.arch}`
  return new PeerError({
    code: 'DECODER_MISSING',
    kind: 'resource',
    message: `this machine cannot decode pictures: sharp does not load for ${platform} (${first.slice(0, 200)}); install again on this machine, with optional dependencies: npm install --include=optional`,
    retry: 'elsewhere',
    details: { platform },
    cause,
  })
}

const sharp = await load()
export default sharp
