/**
 * Draws the demo's sample images: a folder a class, JPEGs numbered within it. A picture depends on the seed, its
 * class and its number alone, so a larger set begins with the smaller one, whatever the machine or the order.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder } from '../../base/make-folder.ts'
import { hash32, prng } from '../../base/prng.ts'
import { encodeJpeg } from '../../data/images/encode.ts'
import { drawPicture } from './picture.ts'
import { shapeNames } from './shapes.ts'

export interface DrawInit {
  /** Pictures in all, spread evenly over the classes. */
  count: number
  /** Any integer; the networks in `demo/models` were trained on others than the demo's. */
  seed: number
  /** Called with the number of files written so far, after each. */
  onProgress?: (files: number) => void
}

/** Pictures being encoded or written while the next are drawn: enough to keep the encoder's threads busy. */
const inFlightMax = 8

/**
 * Writes `folder/<class>/<0000>.jpg`, each 64 to 96 pixels wide and high. Makes the folders; files that are already
 * there under other names stay, so give it a folder of its own.
 *
 * @returns the classes, sorted, and how many files were written.
 * @throws whatever the file system says.
 */
export async function drawSamples(
  folder: string,
  { count, seed, onProgress }: DrawInit,
): Promise<{ classes: string[]; files: number }> {
  const classes = [...shapeNames]
  await Promise.all(classes.map(name => makeFolder(join(folder, name))))
  let next = 0
  let files = 0
  const lane = async () => {
    while (next < count) {
      const item = next++
      const name = classes[item % classes.length]
      const number = Math.floor(item / classes.length)
      const picture = drawPicture(name, prng(hash32(`${seed}/${name}/${number}`)))
      const bytes = await encodeJpeg(picture.pixels, picture.width, picture.height, picture.quality)
      await writeFile(join(folder, name, `${String(number).padStart(4, '0')}.jpg`), bytes)
      files++
      onProgress?.(files)
    }
  }
  await Promise.all(Array.from({ length: inFlightMax }, lane))
  return { classes, files }
}
