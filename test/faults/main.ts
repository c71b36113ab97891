/**
 * `npm run faults`: the handed conditions of `../shared/faults` and `../shared/reports/operations`, each a script that exits 0 when
 * the product does what a user expects, one after the other; ends in one table. The exit code is 1 when one of them does not.
 *
 *   npm run faults [-- --only NAME,NAME] [--short]
 *
 * `--short` leaves out what needs root or more than a minute. Without the folders it says so, and that is all.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { printTable } from '../../bench/report.ts'
import { packageRoot } from '../../src/base/package-root.ts'

const { values } = parseArgs({ options: { only: { type: 'string' }, short: { type: 'boolean' } } })
const wanted = values.only?.split(',')

/** What the scripts source. */
const helpers = ['mesh', 'common']
/** Minutes long, or only for root. */
const long = ['split-two-outcomes', 'production-install', 'orphan-slows-others', 'no-default-route', 'ipv6-only']
const forRoot = ['read-only-disk', 'worker-without-decoder', 'broken-decoder', 'public-address', 'doctor-own-bridge']
const limitMs = 600_000

interface Verdict {
  code: number | null
  seconds: number
  said: string
}

function run(script: string): Promise<Verdict> {
  const startMs = performance.now()
  // In a group of its own: what it leaves running ends with it.
  const child = spawn('bash', [script], { cwd: packageRoot, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  let said = ''
  const hear = (bytes: Buffer) => {
    said = (said + bytes.toString()).slice(-4000)
  }
  child.stdout.on('data', hear)
  child.stderr.on('data', hear)
  const end = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal)
    } catch {
      // It is gone already.
    }
  }
  const timer = setTimeout(() => end('SIGKILL'), limitMs)
  return new Promise(resolve =>
    child.once('exit', code => {
      clearTimeout(timer)
      const seconds = (performance.now() - startMs) / 1000
      resolve({ code, seconds, said: said.trim().split('\n').at(-1) ?? '' })
    }),
  )
}

const verdicts: Record<string, string> = { 0: 'right', 3: 'not here', 77: 'not here' }
const rows: string[][] = []
let wrong = 0
for (const folder of ['faults', 'reports/operations']) {
  const path = join(packageRoot, '../shared', folder)
  if (!existsSync(path)) {
    console.log(`SKIPPED: ../shared/${folder} is not there`)
    continue
  }
  for (const file of readdirSync(path).filter(name => name.endsWith('.sh'))) {
    const name = file.replace(/\.sh$/, '')
    if (helpers.includes(name) || (wanted && !wanted.includes(name))) continue
    if (values.short && (long.includes(name) || forRoot.includes(name))) continue
    const { code, seconds, said } = await run(join(path, file))
    const verdict = verdicts[String(code)] ?? 'WRONG'
    if (verdict === 'WRONG') wrong++
    rows.push([name, verdict, seconds.toFixed(0), said.slice(0, 100)])
    console.log(rows.at(-1)?.join('  '))
  }
}
console.log()
printTable(['condition', 'verdict', 's', 'said'], rows)
process.exit(wrong > 0 ? 1 : 0)
