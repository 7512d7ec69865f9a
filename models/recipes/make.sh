#!/bin/sh
# From the text to the models of this folder: sh models/recipes/make.sh [STAGE...], after `make build`.
#
#   data      tokenizers and token files
#   base      the model that most of the others begin from
#   teachers  three models, each trained another way, for story to learn from
#   imagine   stories that two of them make up
#   story     itera-story, from a teacher
#   chat      itera-chat, from story
#   micro     itera-micro, of the text and of what story makes up
#   cards     quantized files, measures, pictures and cards in models/
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
    for model in base teacher-a teacher-b; do
        cp $out/story.vocab.gguf $out/$model.vocab.gguf
        tokens $model
    done
    tokens chat
}

# tokens MODEL
tokens() {
    cp $recipes/$1.json $out/
    $itera tokenize -m $out/$1.vocab.gguf --special --manifest $out/$1.json --out $out/$1.bin
    $itera tokenize -m $out/$1.vocab.gguf -f $data/tinystories/tinystories_heldout.txt --out $out/$1.heldout.bin
}

# train MODEL [SETTING...]
train() {
    model=$1
    shift
    bytes=$(sed -n 's/.*"bytes": \([0-9]*\).*/\1/p' $out/$model.heldout.bin.json | head -n 1)
    build/native/itera-train $recipes/$model.conf --data $out/$model.bin --heldout $out/$model.heldout.bin \
        --heldout-bytes "$bytes" --vocab-from $out/$model.vocab.gguf --out $out/$model.gguf --resume "$@"
}

stage_base() { train base; }

stage_teachers() {
    for kind in bin bin.json heldout.bin heldout.bin.json vocab.gguf; do
        ln -sf teacher-a.$kind $out/teacher-c.$kind
    done
    train teacher-a --init $out/base.gguf
    train teacher-b
    train teacher-c --init $out/base.gguf
}

# imagine MODEL SEED TEXT [TEMPERATURE TOP_P]
imagine() {
    if [ -e $out/$3.txt ]; then return; fi
    node $recipes/imagine.mjs $out/$1.gguf 1000000 $2 $out/$3.part "${4:-1}" "${5:-0.98}"
    mv $out/$3.part $out/$3.txt
}

stage_imagine() {
    imagine teacher-a 1000 imagined-a
    imagine teacher-b 2000000 imagined-b
    tokens story
}

stage_story() {
    train story --init $out/teacher-c.gguf --teacher $out/teacher-a.gguf,$out/teacher-b.gguf,$out/teacher-c.gguf
}
stage_chat() { train chat --init $out/story.gguf; }
stage_micro() {
    imagine story 5000000 imagined-c 0.9 0.95
    tokens micro
    train micro
}
stage_cards() {
    node $recipes/credits.mjs
    node $recipes/cards.mjs
}

[ $# -gt 0 ] || set -- data base teachers imagine story chat micro cards
for stage in "$@"; do
    "stage_$stage"
done
