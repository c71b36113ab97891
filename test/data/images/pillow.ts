/** Pillow as the reference: runs Debian's python3-pil on a list of cases. Absent, the callers skip loudly. */
import { spawnSync } from 'node:child_process'

const python = '/usr/bin/python3'

/** What Pillow says, [height, width, channels] bytes. */
export interface PillowImage {
  width: number
  height: number
  pixels: Uint8Array
}

export interface PillowCase {
  file: string
  mode: 'RGB' | 'L'
  resize?: { width: number; height: number; filter: number }
}

const script = `
import json, struct, sys
from PIL import Image, ImageOps
for case in json.load(sys.stdin):
    image = ImageOps.exif_transpose(Image.open(case['file'])).convert(case['mode'])
    size = case.get('resize')
    if size: image = image.resize((size['width'], size['height']), size['filter'])
    data = image.tobytes()
    sys.stdout.buffer.write(struct.pack('<III', image.width, image.height, len(data)) + data)
`

export function runPython(source: string, input: string, ...args: string[]): Buffer {
  const run = spawnSync(python, ['-c', source, ...args], { input, maxBuffer: 2 ** 30 })
  if (run.status !== 0) throw new Error(`python failed: ${run.stderr?.toString() ?? String(run.error)}`)
  return run.stdout
}

/** Pillow's version; undefined when it is not installed. */
export const pillowVersion: string | undefined = (() => {
  const run = spawnSync(python, ['-c', 'import PIL; print(PIL.__version__)'])
  return run.status === 0 ? run.stdout.toString().trim() : undefined
})()

/** One image a case, in order. */
export function pillow(cases: PillowCase[]): PillowImage[] {
  const bytes = runPython(script, JSON.stringify(cases))
  let at = 0
  return cases.map(() => {
    const length = bytes.readUInt32LE(at + 8)
    const image = {
      width: bytes.readUInt32LE(at),
      height: bytes.readUInt32LE(at + 4),
      pixels: bytes.subarray(at + 12, at + 12 + length),
    }
    at += 12 + length
    return image
  })
}

export interface Difference {
  /** Largest difference of a byte. */
  max: number
  /** Bytes that differ. */
  count: number
}

export function difference(got: Uint8Array, want: Uint8Array): Difference {
  if (got.length !== want.length) return { max: 256, count: Math.max(got.length, want.length) }
  let max = 0
  let count = 0
  for (let i = 0; i < got.length; i++) {
    if (got[i] === want[i]) continue
    count++
    max = Math.max(max, Math.abs(got[i] - want[i]))
  }
  return { max, count }
}
