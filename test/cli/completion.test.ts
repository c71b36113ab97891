/** The scripts that `peer completion` prints, run by the shells that this machine has. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { completionScript, shells } from '../../src/cli/completion.ts'
import { program } from '../../src/cli/program.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-completion-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const has = (shell: string) => spawnSync(shell, ['-c', 'true']).status === 0

/** What bash offers for the last of `words`. */
function bashOffers(...words: string[]): string[] {
  const file = join(scratch, 'peer.bash')
  writeFileSync(file, completionScript(program(), 'bash'))
  const line = words.map(word => `'${word}'`).join(' ')
  const script = `source '${file}'; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _shardmesh; printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync('bash', ['-c', script], { encoding: 'utf8', cwd: scratch }).trim().split('\n')
}

test.skipIf(!has('bash'))('bash completes commands, options and their choices', () => {
  expect(bashOffers('peer', 'sub')).toEqual(['submit'])
  expect(bashOffers('peer', 'submit', 'cl')).toEqual(['classify'])
  expect(bashOffers('peer', 'submit', 'classify', 'photos', '--mo')).toEqual(['--model'])
  expect(bashOffers('peer', 'submit', 'train', 'softmax', '--solver', '')).toEqual(['lbfgs', 'sgd', 'adam', 'normal'])
  expect(bashOffers('peer', 'submit', 'train', 'k')).toEqual(['kmeans'])
  expect(bashOffers('peer', 'start', '--backend', 'w')).toEqual(['webgpu', 'wasm'])
  writeFileSync(join(scratch, 'zebra.onnx'), '')
  expect(bashOffers('peer', 'submit', 'classify', '--model', 'z'), 'a file where no word fits').toEqual(['zebra.onnx'])
})

test.each(shells)('%s takes its script, which names every command', shell => {
  const script = completionScript(program(), shell)
  for (const { commands } of [program(), program().commands.find(one => one.name() === 'submit')!])
    for (const command of commands) expect(script).toContain(command.name())
  if (!has(shell)) return
  const file = join(scratch, `syntax.${shell}`)
  writeFileSync(file, script)
  expect(spawnSync(shell, ['-n', file], { encoding: 'utf8' }).stderr).toBe('')
})
