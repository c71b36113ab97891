/**
 * The library's entry imports this module before all others, so that an older Node gets this line instead of an
 * error from inside a dependency.
 */
import { installedNode, isNewEnough, tooOld } from '../base/node-version.ts'

if (!isNewEnough()) {
  const binary = installedNode()
  throw new Error(
    `${tooOld()}. ${binary ? `Run your program with the Node that npm installed: ${binary}` : 'Install a newer Node: https://nodejs.org'}`,
  )
}
