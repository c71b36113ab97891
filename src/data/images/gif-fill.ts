/**
 * The colour of a GIF where its first frame has none: outside the frame, and where it is transparent. Pillow's is that of the
 * transparent index, else of index 0, of the frame's palette (GifImagePlugin.py, `load_prepare`). Source: GIF89a, sections 18 to 23.
 */

export interface GifFill {
  /** R G B; black where the file has no palette. */
  colour: readonly [number, number, number]
  /** The first frame's place on the canvas, in pixels. */
  frame: { left: number; top: number; width: number; height: number }
}

/** Undefined where the file has no frame. */
export function gifFill(bytes: Uint8Array): GifFill | undefined {
  const word = (at: number) => (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8)
  const paletteAt = (flags: number, at: number) => ((flags & 0x80) === 0 ? undefined : { at, size: 2 << (flags & 7) })
  const screen = paletteAt(bytes[10], 13)
  let transparent: number | undefined
  for (let at = 13 + (screen ? 3 * screen.size : 0); at < bytes.length; ) {
    if (bytes[at] === 0x2c) {
      const palette = paletteAt(bytes[at + 9], at + 10) ?? screen
      const index = transparent ?? 0
      const from = palette && index < palette.size ? palette.at + 3 * index : bytes.length
      return {
        colour: [bytes[from] ?? 0, bytes[from + 1] ?? 0, bytes[from + 2] ?? 0],
        frame: { left: word(at + 1), top: word(at + 3), width: word(at + 5), height: word(at + 7) },
      }
    }
    if (bytes[at] !== 0x21) return undefined
    const isControl = bytes[at + 1] === 0xf9 && bytes[at + 2] === 4
    if (isControl) transparent = (bytes[at + 3] & 1) === 1 ? bytes[at + 6] : undefined
    // Blocks of stated lengths, up to one of none.
    for (at += 2; at < bytes.length && bytes[at] !== 0; at += 1 + bytes[at]);
    at++
  }
  return undefined
}
