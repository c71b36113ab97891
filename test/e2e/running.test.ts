/** A running peer as people see it: its events, status and stop, in the foreground and in the background. */
import { spawn } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { until } from './mesh-of-processes.ts'
import { command } from './peer-command.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-running-'))
const quick = ['--no-mdns', '--no-gpu', '--workers', '1', '--listen', '/ip4/127.0.0.1/tcp/0']
const folder = (name: string) => join(scratch, name)
const peer = (args: string[], name: string) => command([...args, '--data', folder(name)], { cwd: scratch })
const background: string[] = []

async function started(name: string, ...args: string[]) {
  const ran = await peer(['start', '--background', '--name', name, ...quick, ...args], name)
  if (ran.code === 0) background.push(name)
  return ran
}

/** `peer start` in the foreground, ended by a signal. */
function foreground(name: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
  const child = spawn(process.execPath, [main, 'start', '--data', folder(name), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  const ran = { child, output: '', code: undefined as number | null | undefined }
  for (const stream of [child.stdout, child.stderr]) stream.on('data', chunk => (ran.output += chunk))
  child.on('close', code => {
    ran.code = code
  })
  return ran
}

afterAll(async () => {
  for (const name of background) await peer(['stop'], name)
  rmSync(scratch, { recursive: true, force: true })
})

const logged = (name: string) =>
  readFileSync(join(folder(name), 'logs/peer.log'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))

test('in the background: banner, second start, status, events of a job in the log, stop', async () => {
  const first = await started('kiwi')
  expect(first.stderr).toBe('')
  expect(first.stdout).toContain('peer stop ends it')
  const token = /--join (\S+)/.exec(first.stdout)?.[1] as string
  writeFileSync(join(scratch, 'token'), `"${token.slice(0, 40)}\r\n > ${token.slice(40)}"\n`.replace(' > ', ' '))

  const second = await peer(['start', '--background'], 'kiwi')
  expect(second.code).toBe(2)
  expect(second.stderr).toContain('a peer already runs')

  expect((await started('plum', '--join-file', join(scratch, 'token'))).code).toBe(0)
  await until(async () => (await peer(['status'], 'kiwi')).stdout.includes('plum'), 'they hear each other')
  writeFileSync(
    join(scratch, 'rows.csv'),
    `a,b,y\n${Array.from({ length: 60 }, (_, i) => `${i},${i % 7},${3 * i}`).join('\n')}\n`,
  )
  const ran = await peer(['submit', 'train', 'linear', 'rows.csv', '--label', 'y', '--out', 'm.onnx'], 'plum')
  expect(ran).toMatchObject({ code: 0 })
  await until(async () => logged('kiwi').some(({ event }) => event === 'job-done'), 'the job is in the log')

  const state = JSON.parse((await peer(['status', '--json'], 'kiwi')).stdout)
  expect(state).toMatchObject({ name: 'kiwi', data: folder('kiwi'), running: [] })
  expect(JSON.stringify(state)).not.toContain(token)
  for (const line of (await peer(['status'], 'kiwi')).stdout.split('\n')) {
    if (!line.includes(scratch)) expect(line.length).toBeLessThanOrEqual(80)
  }

  const stopped = await peer(['stop'], 'plum')
  expect(stopped).toMatchObject({ code: 0, stdout: expect.stringContaining('plum has left the mesh') })
  await until(async () => logged('kiwi').some(({ event }) => event === 'peer-gone'), 'it is missed')
  expect((await peer(['stop'], 'kiwi')).code).toBe(0)
  expect(() => process.kill(state.pid, 0)).toThrow()
  const lines = logged('kiwi')
  expect(lines.map(({ event }) => event)).toEqual(
    expect.arrayContaining(['started', 'peer-joined', 'job-begun', 'job-done', 'peer-gone', 'stopping', 'stopped']),
  )
  expect(lines.find(({ event }) => event === 'job-done')).toMatchObject({
    workload: 'train',
    ownerName: 'plum',
    level: 'info',
  })
  expect(statSync(join(folder('kiwi'), 'logs/peer.log')).mode & 0o777).toBe(0o600)
  const everything = readFileSync(join(folder('kiwi'), 'logs/peer.log'), 'utf8')
  expect(everything).not.toContain(token.split('.')[1])
  const secret = JSON.parse(readFileSync(join(folder('kiwi'), 'mesh.json'), 'utf8')).secret
  expect(everything).not.toContain(secret)
  const none = await peer(['stop'], 'kiwi')
  expect(none.stderr).toContain('no peer runs')
}, 90_000)

test('a peer that cannot start in the background says why, and leaves nothing running', async () => {
  const ran = await peer(['start', '--background', '--join', 'amber-otter.nonsense'], 'broken')
  expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('--join: ') })
  writeFileSync(join(scratch, 'file'), '')
  const other = await command(['start', '--background', '--data', join(scratch, 'file')])
  expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('is not a folder') })
})

test('--log json: every line is JSON, without the token; SIGTERM ends it', async () => {
  const ran = foreground('json', ['--log', 'json', ...quick])
  await until(async () => ran.output.includes('"started"'), 'it has started')
  ran.child.kill('SIGHUP')
  expect((await peer(['status'], 'json')).code).toBe(0) // no terminal holds it
  ran.child.kill('SIGTERM')
  await until(async () => ran.code !== undefined, 'it has ended')
  expect(ran.code).toBe(0)
  const lines = ran.output
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  expect(lines.map(({ event }) => event)).toEqual(['started', 'stopping', 'stopped'])
  expect(ran.output).not.toContain(JSON.parse(readFileSync(join(folder('json'), 'mesh.json'), 'utf8')).secret)
})

test('name and options are remembered, shown, overridden and forgotten; a mistake in the file is named', async () => {
  const banner = async (args: string[]) => {
    const ran = await peer(['start', '--background', ...args], 'again')
    const { name, pid } = JSON.parse((await peer(['status', '--json'], 'again')).stdout)
    expect(pid).toBeGreaterThan(0)
    expect((await peer(['stop'], 'again')).code).toBe(0)
    return `${name}: ${ran.stdout}`
  }
  await banner(['--name', 'kiwi', ...quick])
  const second = await banner([])
  expect(second).toMatch(/^kiwi: /)
  expect(second).toContain('as started before: --name kiwi')
  expect(await banner(['--name', 'fig'])).toMatch(/^fig: /)
  expect(await banner([])).toMatch(/^fig: /)
  expect(await banner(['--forget-options', ...quick])).not.toMatch(/^fig: /)
  const file = join(folder('again'), 'config.json')
  for (const [text, said] of [
    ['{"port": "x"}', /config\.json: port: /],
    ['{"prot": 1}', /config\.json: prot: there is no such option/],
    ['{', /config\.json: it is not JSON/],
  ] as const) {
    writeFileSync(file, text)
    expect(await peer(['start'], 'again')).toMatchObject({ code: 2, stderr: expect.stringMatching(said) })
  }
})

test('a name that cannot be shown and a port that is taken are refused', async () => {
  for (const name of ['', '  ', 'a\u0007b', 'a\nb', 'x'.repeat(65)]) {
    const ran = await peer(['start', '--name', name], 'names')
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining("cannot be a peer's name") })
  }
  expect(existsSync(folder('names'))).toBe(false)
  const server = createServer().listen(0)
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const taken = await peer(['start', '--no-mdns', '--no-gpu', '--workers', '1', '--port', String(port)], 'ports')
  server.close()
  expect(taken.code).toBe(2)
  expect(taken.stderr).toMatch(/the port is in use; .*--port/)
  for (const wrong of ['0', '70000', 'x']) expect((await peer(['start', '--port', wrong], 'ports')).code).toBe(2)
})

test('a copy of a data folder is told which peer it is a copy of, and becomes one of its own', async () => {
  expect((await started('original')).code).toBe(0)
  cpSync(folder('original'), folder('copy'), { recursive: true, filter: path => !path.endsWith('.sock') })
  const refused = await peer(['start', ...quick], 'copy')
  expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(`is a copy of ${folder('original')}`) })
  rmSync(join(folder('copy'), 'identity'))
  expect((await started('copy')).code).toBe(0)
})

test('a token is written for its owner alone, and one that is damaged is told by where it came from', async () => {
  const out = join(scratch, 'secret-token')
  writeFileSync(out, 'old', { mode: 0o644 })
  expect((await peer(['token', '--out', out], 'original')).code).toBe(0)
  expect(statSync(out).mode & 0o777).toBe(0o600)
  const token = readFileSync(out, 'utf8')
  writeFileSync(join(scratch, 'cut'), token.slice(0, 60))
  const ways: [string[], NodeJS.ProcessEnv, string][] = [
    [['--join-file', join(scratch, 'cut')], {}, 'cut: the join token is incomplete'],
    [[], { SHARDMESH_JOIN: token.slice(0, 60) }, 'SHARDMESH_JOIN: the join token is incomplete'],
    [['--join', '-'], {}, 'standard input is empty'],
    [['--join-file', join(scratch, 'none')], {}, 'does not exist'],
  ]
  for (const [args, env, said] of ways) {
    const ran = await command(['start', '--data', folder('damaged'), ...args], { env })
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining(said) })
  }
})
