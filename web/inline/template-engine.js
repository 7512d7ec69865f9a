// In place of src/template-engine.js: the engine of chat templates is part of the worker's code.
import * as jinja from '../dist/jinja.js'

export const loadTemplateEngine = async () => jinja
