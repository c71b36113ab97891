/** `npm run bench -- NAME`: one file a benchmark. Each compares in one run, on the same work, and prints one table. */
import { parseArgs } from 'node:util'

/** Loaded when named: each needs packages and kernels that the others do without. */
const benches: Record<string, (args: string[]) => Promise<void>> = {
  copies: async args => (await import('./copies.ts')).benchCopies(args),
  engine: async args => (await import('./engine.ts')).benchEngine(args),
  learn: async args => (await import('./learn.ts')).benchLearn(args),
  job: async args => (await import('./job.ts')).benchJob(args),
  jobs: async args => (await import('./jobs.ts')).benchJobs(args),
  many: async args => (await import('./many.ts')).benchMany(args),
  mesh: async args => {
    await (await import('./mesh.ts')).benchMesh(args)
    await (await import('./jobs.ts')).benchJobs([])
  },
  scaling: async args => (await import('./scaling.ts')).benchScaling(args),
  trees: async args => (await import('./trees.ts')).benchTrees(args),
}

const { positionals } = parseArgs({ args: process.argv.slice(2), allowPositionals: true, strict: false })
const [name] = positionals
if (name === undefined || !Object.hasOwn(benches, name)) {
  console.error(`usage: npm run bench -- NAME [options]\n  NAME: ${Object.keys(benches).join(', ')}`)
  process.exit(2)
}
await benches[name](process.argv.slice(2).filter(arg => arg !== name))
process.exit(0)
