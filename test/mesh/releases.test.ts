/** Two releases that cannot work together say so, in one line, on both machines. */
import { expect, test } from 'vitest'
import { createSecret } from '../../src/mesh/admission.ts'
import type { MeshInit } from '../../src/mesh/types.ts'
import { mesh, namesUp, statusOf, until } from './meshes.ts'

async function warned(init: Partial<MeshInit> & { name?: string }) {
  const started = await mesh(init)
  const warnings: string[] = []
  started.on('warning', message => warnings.push(message))
  return { started, warnings }
}

test('forms that do not overlap', async () => {
  const secret = createSecret()
  const old = await warned({ secret, status: { ...statusOf('fig'), version: '0.1.0+aaaaaaa' } })
  const status = { ...statusOf('kiwi'), version: '9.0.0+bbbbbbb' }
  const next = await warned({ secret, status, wire: [7, 9], dial: old.started.addresses() })
  await until(() => old.warnings.length > 0 && next.warnings.length > 0)
  for (const { started, warnings } of [old, next]) {
    expect(warnings).toEqual([expect.stringMatching(/cannot work together: install the same release on both/)])
    expect(warnings[0]).toContain('fig (release 0.1.0+aaaaaaa)')
    expect(warnings[0]).toContain('kiwi (release 9.0.0+bbbbbbb)')
    expect(namesUp(started)).toEqual([])
  }
})

test('forms that overlap, whatever the versions', async () => {
  const secret = createSecret()
  const a = await warned({ secret, status: { ...statusOf('a'), version: '0.1.0' } })
  const b = await warned({ secret, name: 'b', wire: [1, 9], dial: a.started.addresses() })
  await until(() => namesUp(a.started).includes('b') && namesUp(b.started).includes('a'))
  expect([...a.warnings, ...b.warnings]).toEqual([])
})
