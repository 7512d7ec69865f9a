#!/bin/sh
# From the text to a quantized model and its measure, all in build/train/. The text is not in the repository: it
# lies in ../shared/data, one folder a source, each with its licence.
set -eu
cd "$(dirname "$0")/../.."
data=../shared/data
out=build/train
itera="node web/bin/itera.mjs"
mkdir -p $out

for source in pratham-books african-storybook; do
    zcat $data/$source/stories.jsonl.gz | node models/recipes/picture-books.mjs >$out/$source.txt
done
cp models/recipes/story.json $out/story.json

$itera tokenizer train --vocab 4096 -f $data/tinystories/tinystories_train.txt -f $out/pratham-books.txt \
    -f $out/african-storybook.txt --special "<|endoftext|>,<|system|>,<|user|>,<|assistant|>,<|end|>" \
    -o $out/story-4096.gguf
$itera tokenize -m $out/story-4096.gguf --manifest $out/story.json --out $out/story.bin
$itera tokenize -m $out/story-4096.gguf -f $data/tinystories/tinystories_heldout.txt --out $out/heldout.bin
bytes=$(sed -n 's/.*"bytes": \([0-9]*\).*/\1/p' $out/heldout.bin.json | head -n 1)

build/native/itera-train models/recipes/story.conf --data $out/story.bin --heldout $out/heldout.bin \
    --heldout-bytes "$bytes" --vocab-from $out/story-4096.gguf --out $out/story.gguf --resume
$itera quantize $out/story.gguf $out/itera-story-q8_0.gguf --type q8_0
$itera eval -m $out/itera-story-q8_0.gguf -f $data/tinystories/tinystories_heldout.txt
