// Lints the OpenAPI document in the file of the first argument with the recommended rules of
// Redocly and Spectral, prints what they find, a line each, and fails if that is anything.
import { readFileSync } from 'node:fs'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import spectral from '@stoplight/spectral-core'
import parsers from '@stoplight/spectral-parsers'
import rulesets from '@stoplight/spectral-rulesets'

const file = process.argv[2]
const source = readFileSync(file, 'utf8')

const config = await createConfig({ extends: ['recommended'] })
const found = (await lintFromString({ source, absoluteRef: file, config })).map(
  (p) => `redocly ${p.severity} ${p.ruleId} ${p.location[0]?.pointer}: ${p.message}`,
)

const linter = new spectral.Spectral()
linter.setRuleset({ extends: [[rulesets.oas, 'recommended']] })
const document = new spectral.Document(source, parsers.Json, file)
for (const p of await linter.run(document)) {
  found.push(`spectral ${p.severity} ${p.code} ${p.path.join('/')}: ${p.message}`)
}

for (const line of found) console.log(line)
process.exit(found.length > 0 ? 1 : 0)
