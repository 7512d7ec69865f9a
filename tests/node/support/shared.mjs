/**
 * Reference data that lies beside the repository and not in it. Tests that need it skip, and say so, where it is absent.
 */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../../../shared/', import.meta.url))

/** @param {string} path  inside ../shared */
export const sharedPath = path => root + path

/** For the `skip` option of a test: false, or the reason. @param {string} path */
export const skipWithout = path => existsSync(root + path) ? false : `../shared/${path} is not here`
