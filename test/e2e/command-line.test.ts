/** The command line as a stranger meets it: mistyped words, exit codes, where output goes. No peer runs. */
import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import { command } from './peer-command.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-line-'))
const env = { SHARDMESH_DATA: join(scratch, 'data') }
const model = join(packageRoot, 'demo/models/shapes-plain')
const run = (...args: string[]) => command(args, { cwd: scratch, env })

beforeAll(async () => {
  await drawSamples(join(scratch, 'photos'), { count: 10, seed: 1 })
  mkdirSync(join(scratch, 'odd'))
  const [first] = execFileSync('find', [join(scratch, 'photos'), '-name', '*.jpg'], { encoding: 'utf8' }).split('\n')
  for (const name of ['=1+1.jpg', '-5.jpg', 'red\u001b[31m.jpg'])
    writeFileSync(join(scratch, 'odd', name), readFileSync(first))
  mkdirSync(join(scratch, 'broken'))
  writeFileSync(join(scratch, 'broken/a.jpg'), 'no picture')
})
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const refusals: [words: string, line: string][] = [
  ['submit classify --modle x photos', 'unknown option --modle; did you mean --model?'],
  ['submit classify photos', '--model <path>, an .onnx file or a folder with one, is missing'],
  ['submit classify --model x', 'missing argument <input>: name files, folders or globs'],
  ['submit classify --model x --files-from none.txt', '--files-from none.txt cannot be read (ENOENT)'],
  ['submit clasify photos', "unknown command 'clasify'; did you mean classify?"],
  ['submit classify photos --model x --merge meen', '--merge meen: one of mean, vote, max, weighted is expected.'],
  ['submit classify photos --model x --top 0', '--top 0: a whole number from 1 to 1000 is expected.'],
  ['submit train softmaxx a.csv', '<method> softmaxx: one of kmeans, gmm, softmax, svm, linear, pca is expected.'],
  ['submit classify photos --model x --out p.txt', 'p.txt has an extension that is not written'],
  ['submit classify photos --model x --out none/p.csv', 'does not exist or cannot be written'],
  [`submit classify photos --model x --out ${'n'.repeat(250)}.csv`, 'the name is too long'],
  ['submit train kmeans a.csv --k 2 --json', '--json needs --out FILE.onnx'],
  ['start --workers 600', '--workers 600: a whole number from 0 to 512 is expected.'],
  ['start --cache-size 20', '--cache-size 20: a size with its unit is expected, such as 500MB or 20GiB.'],
  ['infer model.onnx', '--out <dir>, a folder for the outputs, is missing'],
]

test.each(refusals)('peer %s', async (words, line) => {
  const { code, stderr, stdout } = await run(...words.split(' '))
  expect(stderr.split('\n')[0]).toContain(line)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
})

test('a command that is not there is not taken for one that destroys', async () => {
  expect((await run('prop')).stderr.split('\n')[0]).toBe("peer: unknown command 'prop'")
})

describe('what comes out', () => {
  const classify = (...rest: string[]) => run('submit', 'classify', '--model', model, ...rest)

  test('options may stand before the inputs, and standard output gets CSV', async () => {
    const { code, stdout } = await classify('photos')
    expect(code).toBe(0)
    expect(stdout.split('\n')[0]).toBe('path,label,score,shapes-plain_label,shapes-plain_score')
    expect(stdout.trim().split('\n')).toHaveLength(11)
    expect((await classify('photos', '--out', '-')).stdout).toBe(stdout)
  })

  test('lists of inputs, by lines in a file and by zero bytes on standard input', async () => {
    const list = execFileSync('find', ['photos', 'odd', '-name', '*.jpg', '!', '-path', '*bad*'], {
      cwd: scratch,
      encoding: 'utf8',
    })
    writeFileSync(join(scratch, 'list.txt'), list)
    const count = list.trim().split('\n').length
    const { stdout } = await classify('--files-from', 'list.txt')
    expect(stdout.trim().split('\n')).toHaveLength(count + 1)
    const main = join(packageRoot, 'src/cli/main.ts')
    const words = `"${process.execPath}" "${main}" submit classify - --model "${model}" --out piped.csv`
    execFileSync('sh', ['-c', `find photos odd -name '*.jpg' ! -path '*bad*' -print0 | ${words}`], {
      cwd: scratch,
      env: { ...process.env, ...env },
      stdio: 'pipe',
    })
    expect(readFileSync(join(scratch, 'piped.csv'), 'utf8').trim().split('\n')).toHaveLength(count + 1)
    expect((await classify('--files-from', '/dev/null')).stderr).toContain('is neither a file nor a pipe')
  })

  test('--json alone gives a line of JSON a row', async () => {
    const { stdout } = await classify('photos', '--json')
    const rows = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(rows).toHaveLength(10)
    expect(rows[0].top[0].label).toBeTypeOf('string')
  })

  test('nothing that can be read: exit code 1 and a line', async () => {
    const { code, stderr } = await classify('broken')
    expect(code).toBe(1)
    expect(stderr).toContain('none of the 1 image could be read')
  })

  test('a text that a spreadsheet would run gets an apostrophe, unless --raw', async () => {
    const { stderr } = await classify('odd', '--out', 'odd.csv')
    const paths = (file: string) => readFileSync(join(scratch, file), 'utf8').match(/^.*?(?=,)/gm)!
    // A path begins with its folder; the file itself begins with the character.
    expect(paths('odd.csv')).toContain('odd/=1+1.jpg')
    expect(stderr).not.toContain('apostrophe')
    const inside = (...rest: string[]) =>
      command(['submit', 'classify', './=1+1.jpg', './-5.jpg', '--model', model, ...rest], {
        cwd: join(scratch, 'odd'),
        env,
      })
    const safe = await inside('--out', '../safe.csv')
    expect(paths('safe.csv').slice(1)).toEqual(["'=1+1.jpg", "'-5.jpg"])
    expect(safe.stderr).toContain('2 texts begin with =, +, - or @ and got an apostrophe')
    await inside('--out', '../raw.csv', '--raw')
    expect(paths('raw.csv').slice(1)).toEqual(['=1+1.jpg', '-5.jpg'])
  })

  test('a file keeps its mode, a link stays a link, a pipe gets the rows', async () => {
    writeFileSync(join(scratch, 'kept.csv'), 'old')
    chmodSync(join(scratch, 'kept.csv'), 0o600)
    symlinkSync('kept.csv', join(scratch, 'link.csv'))
    await classify('photos', '--out', 'link.csv')
    expect(readFileSync(join(scratch, 'kept.csv'), 'utf8')).toContain('path,label')
    expect(statSync(join(scratch, 'kept.csv')).mode & 0o777).toBe(0o600)
    execFileSync('mkfifo', [join(scratch, 'pipe')])
    const reader = spawn('cat', [join(scratch, 'pipe')])
    let read = ''
    reader.stdout.on('data', chunk => {
      read += chunk
    })
    const { code } = await classify('photos', '--out', 'pipe')
    expect(code).toBe(0)
    expect(read.trim().split('\n')).toHaveLength(11)
  })

  test('control characters of a name do not reach the terminal', async () => {
    writeFileSync(join(scratch, 'odd/bad\u001b[2J.jpg'), 'no picture')
    const { stderr } = await classify('odd')
    expect(stderr).not.toContain('\u001b')
    expect(stderr).toContain('bad\\x1b[2J.jpg')
  })
})

test.skipIf(process.platform !== 'linux')('standard output on a full disk: one line, exit code 1', async () => {
  const child = spawn('sh', [
    '-c',
    `"${process.execPath}" "${join(packageRoot, 'src/cli/main.ts')}" --help > /dev/full`,
  ])
  let stderr = ''
  child.stderr.on('data', chunk => {
    stderr += chunk
  })
  const code = await new Promise(resolve => child.on('close', resolve))
  expect({ code, lines: stderr.trim().split('\n').length }).toEqual({ code: 1, lines: 1 })
  expect(stderr).toContain('cannot write to standard output (ENOSPC)')
})
