/** Image processors of public bug reports, where they lie beside the checkout, against what transformers makes of the same files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { preparedSize, prepareImage, scaleAndBias } from '../../../src/data/images/apply.ts'
import { decodeImage } from '../../../src/data/images/decode.ts'
import { readModelFolder } from '../../../src/data/models/model-folder.ts'
import { readNpy } from '../../../src/data/readers/npy.ts'
import { missing, shared } from '../../fixtures/shared.ts'

test.skipIf(missing('image processors of public bug reports', 1))('pixels are those of transformers', async () => {
  const root = join(shared as string, 'reports/models/processors')
  if (!existsSync(root)) return
  const folders = readdirSync(root).filter(name => name !== 'photos')
  expect(folders.length).toBeGreaterThanOrEqual(4)
  for (const folder of folders) {
    const { preprocess } = await readModelFolder(join(root, folder))
    if (!preprocess) throw new Error(`${folder} has no preprocessing`)
    const whole = { ...preprocess, channels: 3 as const }
    for (const photo of readdirSync(join(root, 'photos'))) {
      const image = await decodeImage(readFileSync(join(root, 'photos', photo)))
      const bytes = prepareImage(image, whole)
      const { height, width } = preparedSize(whole, image)
      const { scale, bias } = scaleAndBias(whole)
      const expected = readNpy(readFileSync(join(root, folder, `expected-${photo.replace('.png', '.npy')}`)), photo)
      expect(expected.dims.slice(-3), folder).toEqual([3, height, width])
      let worst = 0
      for (let c = 0; c < 3; c++)
        for (let i = 0; i < height * width; i++) {
          const got = bytes[i * 3 + c] * scale[c] + bias[c]
          worst = Math.max(worst, Math.abs(got - Number(expected.data[c * height * width + i])))
        }
      expect(worst, `${folder} ${photo}`).toBeLessThan(1e-4)
    }
  }
})
