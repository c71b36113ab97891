import { expect, test } from 'vitest'
import { jpegFrame, sniffFormat } from '../../../src/data/images/probe.ts'

const text = (...parts: (string | number)[]) =>
  Uint8Array.from(parts.flatMap(part => (typeof part === 'number' ? [part] : [...part].map(c => c.charCodeAt(0)))))

test.each([
  [text(0xff, 0xd8, 0xff), 'jpeg'],
  [text(0x89, 'PNG\r\n', 0x1a, '\n'), 'png'],
  [text('GIF89a'), 'gif'],
  [text('II', 0x2a, 0), 'tiff'],
  [text('MM', 0, 0x2a), 'tiff'],
  [text('RIFF', 1, 2, 3, 4, 'WEBP'), 'webp'],
  [text(0, 0, 0, 28, 'ftypavif', 0, 0, 0, 0), 'avif'],
  [text(0, 0, 0, 28, 'ftypmif1', 0, 0, 0, 0, 'mif1avif'), 'avif'],
  [text(0, 0, 0, 28, 'ftypheic', 0, 0, 0, 0, 'mif1heic'), undefined],
  [text('RIFF', 1, 2, 3, 4, 'WAVE'), undefined],
  [text('BM'), undefined],
  [text('<svg/>'), undefined],
  [text(0xff, 0xd8), undefined],
  [new Uint8Array(0), undefined],
])('the first bytes %j announce %s', (bytes, format) => {
  expect(sniffFormat(bytes)).toBe(format)
})

const start = [0xff, 0xd8]
/** A marker segment with a payload. */
const segment = (marker: number, ...payload: number[]) => [0xff, marker, 0, payload.length + 2, ...payload]
const frame = (marker: number) => segment(marker, 8, 0x01, 0x02, 0x03, 0x04, 3, 0, 0, 0)
const found = { height: 0x0102, width: 0x0304, components: 3 }

test('a frame header is found behind other segments, and only there', () => {
  // A thumbnail inside EXIF has a frame of its own.
  const thumbnail = segment(0xe1, ...start, ...segment(0xc0, 8, 0, 9, 0, 9, 1, 0, 0, 0))
  const table = segment(0xc4, 1, 2, 3)
  for (const marker of [0xc0, 0xc1, 0xc2, 0xc9]) {
    expect(jpegFrame(Uint8Array.from([...start, ...thumbnail, ...table, ...frame(marker), 0, 0]))).toEqual(found)
  }
  expect(jpegFrame(Uint8Array.from([...start, 7, 0xff, 0xff, ...frame(0xc0).slice(1), 0, 0]))).toEqual(found)
  expect(jpegFrame(Uint8Array.from([...start, ...segment(0xda, 0), ...frame(0xc0)]))).toBeUndefined()
  expect(jpegFrame(Uint8Array.from([...start, ...thumbnail]))).toBeUndefined()
  expect(jpegFrame(Uint8Array.from([...start, 0xff, 0xe1, 0, 0, ...new Array(20).fill(0xff)]))).toBeUndefined()
})
