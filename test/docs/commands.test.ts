/** Every command line of README, docs and help, word for word, on small files of the names that they use. */
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cliReference, commandsOf, helpOf } from '../../scripts/cli-reference.ts'
import { packageRoot } from '../../src/base/package-root.ts'
import { program } from '../../src/cli/program.ts'
import { command } from '../e2e/peer-command.ts'
import { makeExampleFiles } from './example-files.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-docs-'))
const bin = join(scratch, 'bin')
const env = {
  ...process.env,
  SHARDMESH_DATA: join(scratch, 'data'),
  PATH: `${bin}${delimiter}${process.env.PATH}`,
  NO_COLOR: '1',
}

/** What is not run here, and why. */
const elsewhere: [line: RegExp, why: string][] = [
  [/^npm install && npm (test|run demo)/, '.ci/newcomer installs a clone, tests it, and runs the demo of the package'],
  [/TOKEN$/, 'the token of another machine; test/e2e/running.test.ts joins by one'],
  [/^peer start( |$)(?!.*--background)/, 'runs until Ctrl-C; test/e2e/running.test.ts'],
  [/^peer start --background --name kiwi$/, 'listens on the usual port of every network; test/e2e/running.test.ts'],
  [/^peer (stop --timeout|(start|status|stop) .*\.\/second)/, 'ends or starts other peers; test/e2e/running.test.ts'],
  [/^peer stop$/, 'would end the peer that the other lines ask; test/e2e/running.test.ts'],
  [/^peer (drop|cancel) \w+$/, 'names a job of somebody’s; test/e2e/detached.test.ts'],
  [/^peer (watch|results) 7f3a/, 'names a job of somebody’s; the same with --last is run'],
  [/^peer completion/, 'writes into the home folder; test/cli/completion.test.ts'],
  [/^peer bench($| --kernel gemm --kernel|.*--compare)/, 'takes minutes, or is test/cli/bench.test.ts'],
  [/^peer doctor/, 'looks at this machine’s networks; test/cli/doctor-reach.test.ts'],
  [/^peer demo$/, '.ci/newcomer runs it'],
  [/^peer demo --images/, 'starts three peers for a minute'],
]

const runsElsewhere = (line: string) => elsewhere.find(([pattern]) => pattern.test(line))

/** Lines of the `sh` blocks of a page, without their comments. */
function linesOf(page: string): string[] {
  const blocks = [...readFileSync(join(packageRoot, page), 'utf8').matchAll(/^```sh\n(.*?)^```/gms)]
  return blocks.flatMap(([, block]) =>
    block
      .split('\n')
      .map(line => line.replace(/\s+#.*$/, '').trim())
      .filter(line => line !== ''),
  )
}

/** The examples of a command's help: indented lines that begin with the program's name. */
function examplesOf(help: string): string[] {
  return [...help.matchAll(/^ {2}((?:peer|shardmesh) .+)$/gm)].map(([, line]) => line.replace(/\s{2,}.*$/, '').trim())
}

interface Ran {
  code: number | null
  output: string
}

/** The line as the shell would run it; one that is only words needs no shell, and no process of its own. */
async function run(line: string): Promise<Ran> {
  const words = /^(?:peer|shardmesh) ([\w ./,:=-]+)$/.exec(line)
  if (!words) return shell(line)
  const { code, stdout, stderr } = await command(words[1].split(/ +/), { cwd: scratch, env })
  return { code, output: stdout + stderr }
}

function shell(line: string): Promise<Ran> {
  const child = spawn('sh', ['-c', line], { cwd: scratch, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', chunk => {
      output += chunk
    })
  return new Promise(resolve => child.on('close', code => resolve({ code, output })))
}

const pages = ['README.md', ...readdirSync(join(packageRoot, 'docs')).map(name => `docs/${name}`)].filter(page =>
  page.endsWith('.md'),
)
const fromPages = pages.flatMap(page => linesOf(page).map(line => [page, line] as const))
const fromHelp = commandsOf(program()).flatMap(command =>
  examplesOf(helpOf(command)).map(line => ['--help', line] as const),
)
const seen = new Set<string>()
const lines = [...fromHelp, ...fromPages].filter(([, line]) => !seen.has(line) && seen.add(line))

beforeAll(async () => {
  mkdirSync(bin)
  for (const name of ['peer', 'shardmesh']) {
    writeFileSync(
      join(bin, name),
      `#!/bin/sh\nexec "${process.execPath}" "${join(packageRoot, 'src/cli/main.ts')}" "$@"\n`,
    )
    chmodSync(join(bin, name), 0o755)
  }
  await makeExampleFiles(scratch, { SHARDMESH_DATA: join(scratch, 'data') })
  const started = await run('peer start --background --no-mdns --workers 1 --listen /ip4/127.0.0.1/tcp/0')
  expect(started.code, started.output).toBe(0)
}, 120_000)
afterAll(async () => {
  await run('peer stop')
  rmSync(scratch, { recursive: true, force: true })
})

test('the lines are found', () => {
  expect(lines.length).toBeGreaterThan(40)
  expect(lines.filter(([, line]) => !runsElsewhere(line)).length).toBeGreaterThan(25)
})

describe('each line does what it says', { timeout: 120_000 }, () => {
  test.each(lines.filter(([, line]) => !runsElsewhere(line)))('%s: %s', async (_, line) => {
    const { code, output } = await run(line)
    expect({ code, output: code === 0 ? '' : output }).toEqual({ code: 0, output: '' })
  })
})

test('docs/cli.md is what the program says; npm run docs writes it', () => {
  expect(readFileSync(join(packageRoot, 'docs/cli.md'), 'utf8')).toBe(cliReference())
})

test('every command has an example, or explains itself', () => {
  const silent = commandsOf(program()).filter(
    command => command.commands.length === 0 && !/Example/.test(helpOf(command)),
  )
  expect(silent.map(command => command.name())).toEqual([])
})

const programs: [name: string, args: string[], says: RegExp][] = [
  ['classify-folder.ts', ['photos', 'mobilenet', 'vit'], /: \d+/],
  ['train-table.ts', ['flowers.csv', 'species', 'learnt.onnx'], /the model is in learnt\.onnx/],
  ['watch-events.ts', [], /job-done/],
]

test.each(programs)('examples/%s', { timeout: 60_000 }, async (name, args, says) => {
  const { code, output } = await run(`"${process.execPath}" "${join(packageRoot, 'examples', name)}" ${args.join(' ')}`)
  expect({ code, output }).toEqual({ code: 0, output: expect.stringMatching(says) })
})

test("the README's TypeScript runs", { timeout: 60_000 }, async () => {
  const [, code] = /^```ts\n(.*?)^```/ms.exec(readFileSync(join(packageRoot, 'README.md'), 'utf8'))!
  const library = join(packageRoot, 'src/api/index.ts')
  writeFileSync(join(scratch, 'readme.mts'), code.replace("'shardmesh'", JSON.stringify(library)))
  const ran = await run(`"${process.execPath}" readme.mts`)
  expect(ran.code, ran.output).toBe(0)
  expect(ran.output).toContain('photos/')
})
