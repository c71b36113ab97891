/**
 * Builds dist/: both targets of asconfig.json from assembly/, and JavaScript and types from src/, side by side.
 * `build.js kernels` and `build.js src` build one of the two. What a compiler says is shown only where it fails.
 */
import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const { resolve } = createRequire(import.meta.url)
const run = promisify(execFile)

/** Runs a program of a package with this Node. */
async function compile(name, program, ...args) {
  try {
    await run(process.execPath, [join(dirname(resolve(`${name}/package.json`)), program), ...args])
  } catch (failed) {
    console.error(`${program} ${args.join(' ')} failed\n${failed.stderr ?? failed}${failed.stdout ?? ''}`)
    process.exitCode = 1
  }
}

const kernels = () => ['simd', 'relaxed'].map(target => compile('assemblyscript', 'bin/asc.js', '--target', target))

async function src() {
  await compile('typescript', 'bin/tsc', '-p', 'tsconfig.build.json')
  if (process.exitCode) return
  chmodSync('dist/cli/launch.js', 0o755) // npm sets it for packages, not for a clone
  await noteCommit()
}

/** The commit that is built, for `peer --version`; a copy without git has none. `dirty`: with changes of its own. */
async function noteCommit() {
  const git = (...args) => run('git', args).then(({ stdout }) => stdout.trim())
  // A package that was unpacked inside somebody's repository is not that repository's commit.
  const here = await git('ls-files', '--error-unmatch', 'package.json').catch(() => '')
  const commit = here && (await git('rev-parse', '--short=7', 'HEAD').catch(() => ''))
  const dirty = commit && (await git('status', '--porcelain', '--untracked-files=no').catch(() => ''))
  mkdirSync('dist', { recursive: true })
  writeFileSync('dist/build.json', `${JSON.stringify(commit ? { commit: dirty ? `${commit}.dirty` : commit } : {})}\n`)
}

const [part] = process.argv.slice(2)
await Promise.all([...(part === 'src' ? [] : kernels()), ...(part === 'kernels' ? [] : [src()])])
