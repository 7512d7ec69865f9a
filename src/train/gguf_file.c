#include "train/gguf_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "gguf/writer.h"
#include "quant/to_half.h"

enum { TYPE_F32 = 0, TYPE_F16 = 1 };

/* A writer and the first error, so that long lists of keys read as lists. */
typedef struct export_state {
    itera_gguf_writer *writer;
    const char *arch;
    itera_status status;
    itera_error *error;
} export_state;

static void export_add(export_state *s, const char *key, uint32_t type, uint32_t element, uint64_t count,
                       const void *data, size_t n)
{
    if (s->status == ITERA_OK) {
        s->status =
            itera_gguf_writer_add(s->writer, key, strlen(key), type, element, count, data, n, s->error);
    }
}

static const char *export_key(const export_state *s, char *key, size_t n, const char *suffix)
{
    snprintf(key, n, "%s.%s", s->arch, suffix);
    return key;
}

static void export_u32(export_state *s, const char *suffix, uint32_t value)
{
    char key[96];
    export_add(s, export_key(s, key, sizeof key, suffix), ITERA_GGUF_U32, ITERA_GGUF_U32, 1, &value,
               sizeof value);
}

static void export_f32(export_state *s, const char *suffix, float value)
{
    char key[96];
    export_add(s, export_key(s, key, sizeof key, suffix), ITERA_GGUF_F32, ITERA_GGUF_F32, 1, &value,
               sizeof value);
}

/* A string value, or one element of an array, as GGUF encodes it; returns its bytes. */
static size_t export_encode(uint8_t *to, const char *text)
{
    uint64_t length = strlen(text);
    memcpy(to, &length, sizeof length);
    memcpy(to + sizeof length, text, length);
    return sizeof length + length;
}

static void export_string(export_state *s, const char *key, const char *text)
{
    uint8_t value[512];
    if (strlen(text) > sizeof value - 8) {
        s->status = itera_fail(s->error, ITERA_ERR_ARGUMENT, "the value of %s is too long", key);
        return;
    }
    export_add(s, key, ITERA_GGUF_STRING, ITERA_GGUF_STRING, 1, value, export_encode(value, text));
}

static void export_granite_keys(export_state *s, const itera_train_config *c)
{
    char key[96];
    int32_t *no_kv_heads = calloc(c->L, sizeof *no_kv_heads); /* no layer has attention */
    const uint8_t no = 0;
    /* No positions, so no limit; llama.cpp wants a number, and wants attention's sizes even where there is
     * none. */
    export_u32(s, "context_length", 1 << 20);
    export_f32(s, "attention.layer_norm_rms_epsilon", c->eps);
    export_u32(s, "ssm.conv_kernel", c->taps);
    export_u32(s, "ssm.inner_size", c->E);
    export_u32(s, "ssm.state_size", c->N);
    export_u32(s, "ssm.time_step_rank", c->heads);
    export_u32(s, "ssm.group_count", c->groups);
    export_u32(s, "feed_forward_length", c->F);
    const uint32_t heads = c->D % 64 == 0 ? c->D / 64 : 1;
    export_u32(s, "attention.head_count", heads);
    if (no_kv_heads == NULL) {
        s->status = itera_fail(s->error, ITERA_ERR_MEMORY, "no memory for %u layers", c->L);
        return;
    }
    export_add(s, export_key(s, key, sizeof key, "attention.head_count_kv"), ITERA_GGUF_ARRAY, ITERA_GGUF_I32,
               c->L, no_kv_heads, c->L * sizeof *no_kv_heads);
    free(no_kv_heads);
    export_u32(s, "rope.dimension_count", c->D / heads);
    export_f32(s, "rope.freq_base", 10000.0f);
    export_add(s, export_key(s, key, sizeof key, "rope.scaling.finetuned"), ITERA_GGUF_BOOL, ITERA_GGUF_BOOL,
               1, &no, 1);
    export_f32(s, "attention.scale", 1.0f);
    export_f32(s, "embedding_scale", 1.0f);
    export_f32(s, "residual_scale", 1.0f);
    export_f32(s, "logit_scale", 1.0f);
    if (c->shared_F > 0) {
        export_u32(s, "expert_shared_feed_forward_length", c->shared_F);
    }
}

static void export_itera_lite_keys(export_state *s, const itera_train_config *c)
{
    char key[96];
    const bool attention = c->arch == ITERA_TRAIN_TRANSFORMER;
    uint8_t *mixers = malloc((size_t)c->L * 24);
    size_t n = 0;
    if (mixers == NULL) {
        s->status = itera_fail(s->error, ITERA_ERR_MEMORY, "no memory for %u layers", c->L);
        return;
    }
    for (uint32_t layer = 0; layer < c->L; layer++) {
        n += export_encode(mixers + n, attention ? "attention" : "ssm");
    }
    export_u32(s, "context_length", c->P);
    export_add(s, export_key(s, key, sizeof key, "mixer"), ITERA_GGUF_ARRAY, ITERA_GGUF_STRING, c->L, mixers,
               n);
    free(mixers);
    export_f32(s, "attention.layer_norm_epsilon", c->eps);
    if (attention) {
        export_u32(s, "attention.head_count", c->heads);
    } else {
        export_u32(s, "ssm.conv_kernel", c->taps);
        export_u32(s, "ssm.inner_size", c->E);
        export_u32(s, "ssm.state_size", c->N);
    }
}

static void export_keys(export_state *s, const itera_train_model *model, const itera_export_options *options)
{
    const itera_train_config *c = &model->config;
    const uint32_t file_type = options->half ? 1 : 0;
    export_string(s, "general.architecture", s->arch);
    export_string(s, "general.name", options->name != NULL ? options->name : "itera-lite");
    export_add(s, "general.file_type", ITERA_GGUF_U32, ITERA_GGUF_U32, 1, &file_type, sizeof file_type);
    for (size_t i = 0; options->vocabulary != NULL && i < itera_gguf_kv_count(options->vocabulary); i++) {
        const itera_gguf_kv *kv = itera_gguf_kv_at(options->vocabulary, i);
        if (s->status == ITERA_OK && kv->key.length > 10 && memcmp(kv->key.data, "tokenizer.", 10) == 0) {
            s->status =
                itera_gguf_writer_add(s->writer, kv->key.data, kv->key.length, kv->type, kv->element_type,
                                      kv->count, kv->value, kv->value_bytes, s->error);
        }
    }
    export_u32(s, "vocab_size", c->V);
    export_u32(s, "embedding_length", c->D);
    export_u32(s, "block_count", c->L);
    if (c->arch == ITERA_TRAIN_ITERA2) {
        export_granite_keys(s, c);
    } else {
        export_itera_lite_keys(s, c);
    }
    export_u32(s, "expert_count", c->arch == ITERA_TRAIN_TRANSFORMER ? 0 : c->experts);
    export_u32(s, "expert_used_count", c->arch == ITERA_TRAIN_TRANSFORMER ? 0 : c->used);
}

/* Matrices that many products read; the router, which chooses, and all that is small stay exact. */
static bool export_as_half(const itera_param *p)
{
    return p->decays && strstr(p->name, "ffn_gate_inp") == NULL && strstr(p->name, "position_embd") == NULL;
}

static itera_status export_tensor(const itera_param *p, const itera_params *params, bool half,
                                  itera_sink sink, void *owner, itera_error *error)
{
    static const uint8_t zeros[32];
    const size_t width = half && export_as_half(p) ? 2 : 4;
    bool ok = true;
    for (size_t i = 0; i < p->count && ok;) {
        float block[1024];
        uint16_t halves[1024];
        size_t n = p->count - i < 1024 ? p->count - i : 1024;
        for (size_t j = 0; j < n; j++) {
            real value = params->value[p->offset + i + j];
            block[j] = (float)(p->negated_exp ? -real_exp(value) : value);
            halves[j] = itera_f32_to_half(block[j]);
        }
        ok = sink(owner, width == 2 ? (const void *)halves : block, n * width);
        i += n;
    }
    size_t padding = (32 - p->count * width % 32) % 32;
    return ok && sink(owner, zeros, padding)
               ? ITERA_OK
               : itera_fail(error, ITERA_ERR_INCOMPLETE, "%s could not be written", p->name);
}

itera_status itera_train_export(const itera_train_model *model, const itera_export_options *options,
                                itera_sink sink, void *owner, itera_error *error)
{
    const itera_params *params = &model->params;
    export_state s = {.writer = itera_gguf_writer_create(),
                      .arch = model->config.arch == ITERA_TRAIN_ITERA2 ? "granitehybrid" : "itera-lite",
                      .error = error};
    if (s.writer == NULL) {
        return itera_fail(error, ITERA_ERR_MEMORY, "no memory for a header");
    }
    export_keys(&s, model, options);
    for (size_t i = 0; i < params->n && s.status == ITERA_OK; i++) {
        const itera_param *p = &params->list[i];
        const uint64_t dims[3] = {p->dims[0], p->dims[1], p->dims[2]};
        s.status = itera_gguf_writer_tensor(s.writer, p->name, strlen(p->name), p->n_dims, dims,
                                            options->half && export_as_half(p) ? TYPE_F16 : TYPE_F32, error);
    }
    const uint8_t *header;
    size_t n = s.status == ITERA_OK ? itera_gguf_writer_header(s.writer, &header) : 0;
    if (s.status == ITERA_OK && (n == 0 || !sink(owner, header, n))) {
        s.status = itera_fail(error, ITERA_ERR_INCOMPLETE, "the header could not be written");
    }
    for (size_t i = 0; i < params->n && s.status == ITERA_OK; i++) {
        s.status = export_tensor(&params->list[i], params, options->half, sink, owner, error);
    }
    itera_gguf_writer_free(s.writer);
    return s.status;
}

itera_status itera_train_config_read(itera_train_config *config, const itera_gguf *gguf, itera_error *error)
{
    itera_gguf_string arch;
    itera_train_config c = itera_train_config_default(ITERA_TRAIN_ITERA2);
    const itera_gguf_kv *tokens = itera_gguf_find(gguf, "tokenizer.ggml.tokens");
    if (!itera_gguf_get_string(gguf, "general.architecture", &arch) || arch.length != 13 ||
        memcmp(arch.data, "granitehybrid", 13) != 0) {
        return itera_fail(error, ITERA_ERR_UNSUPPORTED, "the file is no Itera-Lite 2 model");
    }
    c.V = tokens != NULL ? (uint32_t)tokens->count : 0;
    c.experts = c.used = c.shared_F = 0;
    const struct {
        const char *key;
        uint32_t *to;
        bool optional;
    } numbers[] = {
        {"granitehybrid.vocab_size", &c.V, c.V > 0},
        {"granitehybrid.embedding_length", &c.D, false},
        {"granitehybrid.block_count", &c.L, false},
        {"granitehybrid.ssm.conv_kernel", &c.taps, false},
        {"granitehybrid.ssm.inner_size", &c.E, false},
        {"granitehybrid.ssm.state_size", &c.N, false},
        {"granitehybrid.ssm.time_step_rank", &c.heads, false},
        {"granitehybrid.ssm.group_count", &c.groups, false},
        {"granitehybrid.feed_forward_length", &c.F, false},
        {"granitehybrid.expert_count", &c.experts, true},
        {"granitehybrid.expert_used_count", &c.used, true},
        {"granitehybrid.expert_shared_feed_forward_length", &c.shared_F, true},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!itera_gguf_get_u32(gguf, numbers[i].key, numbers[i].to) && !numbers[i].optional) {
            return itera_fail(error, ITERA_ERR_CORRUPT, "the file does not say %s", numbers[i].key);
        }
    }
    itera_gguf_get_f32(gguf, "granitehybrid.attention.layer_norm_rms_epsilon", &c.eps);
    *config = c;
    return ITERA_OK;
}

static itera_status import_tensor(const itera_param *p, itera_params *params, const itera_gguf *gguf,
                                  const uint8_t *file, size_t bytes, itera_error *error)
{
    const itera_gguf_tensor *tensor = itera_gguf_find_tensor(gguf, p->name);
    if (tensor == NULL) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "the file has no tensor %s", p->name);
    }
    if (tensor->type != TYPE_F32 && tensor->type != TYPE_F16) {
        return itera_fail(error, ITERA_ERR_UNSUPPORTED, "%s is quantized: training begins from F32 or F16",
                          p->name);
    }
    const uint64_t width = tensor->type == TYPE_F16 ? 2 : 4;
    if (tensor->bytes != p->count * width || tensor->dims[0] != p->dims[0] || tensor->offset > bytes ||
        tensor->bytes > bytes - tensor->offset) {
        return itera_fail(error, ITERA_ERR_CORRUPT, "%s has another shape in the file", p->name);
    }
    for (size_t i = 0; i < p->count; i++) {
        const uint8_t *at = file + tensor->offset + i * width;
        real value = (real)(width == 2 ? itera_half_to_f32(itera_load_u16(at))
                                       : itera_bits_to_f32(itera_load_u32(at)));
        params->value[p->offset + i] = p->negated_exp ? real_log(-value) : value;
    }
    return ITERA_OK;
}

itera_status itera_train_import(itera_train_model *model, const itera_gguf *gguf, const uint8_t *file,
                                size_t bytes, itera_error *error)
{
    for (size_t i = 0; i < model->params.n; i++) {
        ITERA_TRY(import_tensor(&model->params.list[i], &model->params, gguf, file, bytes, error));
    }
    itera_params_refresh(&model->params);
    return ITERA_OK;
}
