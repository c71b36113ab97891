/** `npm run bench -- NAME`: one file a benchmark. Each compares in one run, on the same work, and prints one table. */
import { parseArgs } from 'node:util'
import { benchEngine } from './engine.ts'
import { benchJob } from './job.ts'
import { benchMesh } from './mesh.ts'
import { benchScaling } from './scaling.ts'

const benches: Record<string, (args: string[]) => Promise<void>> = {
  engine: benchEngine,
  job: benchJob,
  mesh: benchMesh,
  scaling: benchScaling,
}

const { positionals } = parseArgs({ args: process.argv.slice(2), allowPositionals: true, strict: false })
const [name] = positionals
if (name === undefined || !Object.hasOwn(benches, name)) {
  console.error(`usage: npm run bench -- NAME [options]\n  NAME: ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}
await benches[name](process.argv.slice(2).filter(arg => arg !== name))
process.exit(0)
