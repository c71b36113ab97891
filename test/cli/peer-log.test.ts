/** A running peer's log: what lines hold, how large its files grow, and that a disk that refuses stops nothing. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openLogFile } from '../../src/cli/log/log-file.ts'
import { logFileOf, openPeerLog } from '../../src/cli/log/peer-log.ts'
import { createEventBus, type PeerEvent } from '../../src/peer/events.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-log-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const joined: PeerEvent = { type: 'peer-joined', atMs: 0, peer: 'p', name: 'a\u001b[31m\r\nb\u202e', device: 'one' }

test('a line of text has no control character of others, and levels hold on the terminal and in the file', async () => {
  const lines: string[] = []
  const out = { write: (line: string) => lines.push(line) }
  const log = openPeerLog({ folder: scratch, level: 'warn', format: 'text', out })
  log.event(joined)
  log.event({ type: 'warning', atMs: 0, message: 'first\nsecond\u0007' })
  log.event({ type: 'shards-returned', atMs: 0, job: 'j', shards: 2 })
  await log.close()
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/first second\n$/)
  expect(readFileSync(logFileOf(scratch), 'utf8').trim().split('\n')).toHaveLength(1)
  const all: string[] = []
  const text = openPeerLog({ folder: scratch, level: 'debug', format: 'text', out: { write: line => all.push(line) } })
  text.event(joined)
  await text.close()
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(all[0].replace(/\u001b\[\d+m/g, '').trimEnd()).not.toMatch(/[\u0000-\u001f\u007f\u202e]/)
})

test('files are rotated by size, and so many are kept', async () => {
  const folder = join(scratch, 'rotated')
  const file = openLogFile(join(folder, 'peer.log'), { size: '1K', older: 2 })
  for (let i = 0; i < 200; i++) {
    file.write(`${String(i).padStart(99, '.')}\n`)
    if (i % 10 === 0) await new Promise(resolve => setTimeout(resolve, 5))
  }
  await file.close()
  expect(readdirSync(folder).filter(name => name.startsWith('peer.log')).length).toBe(3)
  for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).size).toBeLessThan(4096)
})

test('a file that cannot be written costs lines, which are counted once it can be', async () => {
  const folder = join(scratch, 'refused')
  writeFileSync(folder, 'in the way')
  const file = openLogFile(join(folder, 'peer.log'), { againMs: 1 })
  for (let i = 0; i < 5; i++) {
    file.write('lost\n')
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  rmSync(folder)
  mkdirSync(folder)
  for (let i = 0; i < 5 && !existsSync(join(folder, 'peer.log')); i++) {
    file.write('kept\n')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  file.write('last\n')
  await file.close()
  expect(readFileSync(join(folder, 'peer.log'), 'utf8')).toContain('last')
})

test('a handler of events that throws stops neither the others nor the peer', () => {
  const bus = createEventBus()
  const heard: string[] = []
  bus.on(() => {
    throw new Error('no')
  })
  const off = bus.on(({ type, atMs }) => heard.push(`${type} ${atMs > 0}`))
  bus.emit({ type: 'resumed' })
  off()
  bus.emit({ type: 'resumed' })
  expect(heard).toEqual(['resumed true'])
})
