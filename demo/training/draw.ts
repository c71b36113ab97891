/** Draws pictures to train or judge on: `node demo/training/draw.ts FOLDER COUNT SEED`. */
import { drawSamples } from '../../src/cli/demo/draw.ts'

const [folder, count, seed] = process.argv.slice(2)
if (folder === undefined || !(Number(count) > 0) || !Number.isInteger(Number(seed))) {
  console.error('usage: node demo/training/draw.ts FOLDER COUNT SEED')
  process.exit(2)
}
const { files } = await drawSamples(folder, { count: Number(count), seed: Number(seed) })
console.log(`${files} pictures in ${folder}`)
