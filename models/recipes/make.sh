#!/bin/sh
# From the text to the models of this folder: sh models/recipes/make.sh [STAGE...], after `make build`.
#
#   data     tokenizers and token files        base     the model that story and chat begin from
#   story    itera-story, from base            chat     itera-chat, from story
#   micro    itera-micro                       cards    quantized files, measures, pictures and cards in models/
#
# Without a stage it makes all of them. Everything on the way lies in build/train/; a stage that was stopped goes on
# where it was. The text is not in the repository: it lies in ../shared/data, one folder a source, with its licence.
set -eu
cd "$(dirname "$0")/../.."
recipes=models/recipes
data=../shared/data
out=build/train
itera="node web/bin/itera.mjs"
mkdir -p $out

stage_data() {
    for source in pratham-books african-storybook; do
        zcat $data/$source/stories.jsonl.gz | node $recipes/picture-books.mjs >$out/$source.txt
    done
    node $recipes/books.mjs $data/gitenberg/*.txt* $data/standard-ebooks/*.txt* >$out/books.txt
    node $recipes/chat/dialogue.mjs $data --part talk >$out/talk.txt
    node $recipes/chat/dialogue.mjs $data --part teach >$out/teach.txt
    node $recipes/chat/lessons.mjs $data >$out/lessons.txt
    node $recipes/chat/story-requests.mjs $data --books $out >$out/story-requests.txt

    texts="-f $data/tinystories/tinystories_train.txt -f $out/pratham-books.txt -f $out/african-storybook.txt"
    roles="<|endoftext|>,<|system|>,<|user|>,<|assistant|>,<|end|>"
    $itera tokenizer train --vocab 4096 $texts --special "$roles" -o $out/story.vocab.gguf
    $itera tokenizer train --vocab 4096 $texts --special "$roles" --chat-template $recipes/chat/template.jinja \
        -o $out/chat.vocab.gguf
    $itera tokenizer train --vocab 2048 $texts --special "<|endoftext|>" -o $out/micro.vocab.gguf
    cp $out/story.vocab.gguf $out/base.vocab.gguf
    for model in base story chat micro; do
        cp $recipes/$model.json $out/
        $itera tokenize -m $out/$model.vocab.gguf --special --manifest $out/$model.json --out $out/$model.bin
        $itera tokenize -m $out/$model.vocab.gguf -f $data/tinystories/tinystories_heldout.txt \
            --out $out/$model.heldout.bin
    done
}

# train MODEL [BEGINNING]
train() {
    bytes=$(sed -n 's/.*"bytes": \([0-9]*\).*/\1/p' $out/$1.heldout.bin.json | head -n 1)
    build/native/itera-train $recipes/$1.conf --data $out/$1.bin --heldout $out/$1.heldout.bin \
        --heldout-bytes "$bytes" --vocab-from $out/$1.vocab.gguf --out $out/$1.gguf --resume ${2:+--init $out/$2.gguf}
}

stage_base() { train base; }
stage_story() { train story base; }
stage_chat() { train chat story; }
stage_micro() { train micro; }
stage_cards() { node $recipes/cards.mjs; }

[ $# -gt 0 ] || set -- data base story chat micro cards
for stage in "$@"; do
    "stage_$stage"
done
