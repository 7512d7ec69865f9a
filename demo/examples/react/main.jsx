import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { useItera } from './useItera.js'

function Story({ source }) {
  const { status, progress, text, error, write, stop } = useItera(source)
  const [prompt, setPrompt] = useState('Once upon a time')
  return (
    <form onSubmit={event => { event.preventDefault(); write(prompt, { maxTokens: 200 }) }}>
      <label>Beginning <input value={prompt} onChange={event => setPrompt(event.target.value)} /></label>
      <button disabled={status !== 'ready'}>Write</button>
      <button type="button" disabled={status !== 'writing'} onClick={stop}>Stop</button>
      {status === 'loading' && <progress value={progress} />}
      <article aria-live="polite">{text}</article>
      <p role="status">{error ? `${error.code}: ${error.message}` : status}</p>
    </form>
  )
}

createRoot(document.getElementById('root')).render(<StrictMode><Story source="/story.gguf" /></StrictMode>)
