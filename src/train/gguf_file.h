/* Models to GGUF and back. What is written loads in the engine at once: names, shapes and keys are
 * llama.cpp's for Itera-Lite 2 (as `granitehybrid`), and the engine's own `itera-lite` for the other two. */
#ifndef ITERA_TRAIN_GGUF_FILE_H
#define ITERA_TRAIN_GGUF_FILE_H

#include "gguf/gguf.h"
#include "train/trainer.h"

typedef struct itera_export_options {
    const char *name;             /* general.name */
    const itera_gguf *vocabulary; /* whose tokenizer.* keys are copied; or NULL */
    bool half;                    /* matrices as F16; what is small or delicate stays F32 */
} itera_export_options;

itera_status itera_train_export(const itera_train_model *model, const itera_export_options *options,
                                itera_sink sink, void *owner, itera_error *error);

/* The sizes of an Itera-Lite 2 file; ITERA_ERR_UNSUPPORTED for any other. */
itera_status itera_train_config_read(itera_train_config *config, const itera_gguf *gguf, itera_error *error);

/* Fills the parameters from the tensors of a file of the same shapes, F32 or F16: `file` is all of its bytes,
 * `gguf` its header. The start of continued training. */
itera_status itera_train_import(itera_train_model *model, const itera_gguf *gguf, const uint8_t *file,
                                size_t bytes, itera_error *error);

#endif
