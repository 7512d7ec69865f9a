"""Training speed of Itera-Lite 2 beside PyTorch: one machine, one run, same sizes, batch and precision.

    python3 tests/bench/train.py [--trainer build/native/itera-train] [--batch 16] [--steps 4] [--rounds 2] [...]

Both train from random weights on random tokens, products in bf16 with f32 sums, AdamW, gradients clipped. The PyTorch
model is what a careful user writes: the scan in chunks of matrix products, one product an expert over the tokens that
chose it, tied head, autocast. The two take turns, so that a busy machine is busy for both; the median counts.
"""
import argparse
import math
import os
import re
import statistics
import subprocess
import tempfile
import time

# Before torch loads: threads that spin while they wait would make a shared machine unfair to it.
os.environ.setdefault('OMP_WAIT_POLICY', 'passive')

import numpy
import torch
import torch.nn as nn
import torch.nn.functional as F


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-5) * self.weight


class Mamba2(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        conv = c.inner + 2 * c.state
        self.inner = nn.Linear(c.width, c.inner + conv + c.heads, bias=False)
        self.conv = nn.Conv1d(conv, conv, 4, groups=conv, padding=3)
        self.dt_bias = nn.Parameter(torch.empty(c.heads).uniform_(math.log(1e-3), math.log(1e-1)).exp().expm1().log())
        self.A_log = nn.Parameter(torch.empty(c.heads).uniform_(1, 16).log())
        self.skip = nn.Parameter(torch.ones(c.heads))
        self.norm = RMSNorm(c.inner)
        self.out = nn.Linear(c.inner, c.width, bias=False)

    def scan(self, x, dt, A, B, C):
        """x [b, T, H, P], dt [b, T, H], B and C [b, T, N]: chunks of products, a short loop over chunk states."""
        b, T, H, P = x.shape
        Q = self.c.chunk
        x, dt = x.view(b, T // Q, Q, H, P), dt.view(b, T // Q, Q, H)
        B, C = B.view(b, T // Q, Q, -1), C.view(b, T // Q, Q, -1)
        s = (dt * A).cumsum(2)
        weighted = x * dt.unsqueeze(-1)
        gap = (s.unsqueeze(3) - s.unsqueeze(2)).permute(0, 1, 4, 2, 3)  # [b, c, H, t, j]
        past = torch.ones(Q, Q, dtype=torch.bool).tril()
        decay = gap.masked_fill(~past, -math.inf).exp()
        mix = (C @ B.transpose(2, 3)).unsqueeze(2) * decay
        y = mix @ weighted.permute(0, 1, 3, 2, 4)  # [b, c, H, Q, P]
        left = (weighted * (s[:, :, -1:] - s).exp().unsqueeze(-1)).reshape(b, T // Q, Q, H * P)
        fresh = (B.transpose(2, 3) @ left).view(b, T // Q, -1, H, P)
        state, before = torch.zeros_like(fresh[:, 0], dtype=torch.float32), []
        for chunk in range(T // Q):
            before.append(state)
            state = state * s[:, chunk, -1].exp().view(b, 1, H, 1) + fresh[:, chunk]
        through = (C @ torch.stack(before, 1).flatten(3)).view(b, T // Q, Q, H, P) * s.exp().unsqueeze(-1)
        return (y.permute(0, 1, 3, 2, 4) + through).reshape(b, T, H, P)

    def forward(self, u):
        c = self.c
        b, T, _ = u.shape
        z, xbc, dt = self.inner(u).split([c.inner, c.inner + 2 * c.state, c.heads], -1)
        xbc = F.silu(self.conv(xbc.transpose(1, 2))[..., :T].transpose(1, 2))
        x, B, C = xbc.split([c.inner, c.state, c.state], -1)
        dt = F.softplus(dt.float() + self.dt_bias)
        x = x.reshape(b, T, c.heads, -1)
        y = self.scan(x, dt, -self.A_log.exp(), B, C) + self.skip.unsqueeze(-1) * x
        return self.out(self.norm(y.reshape(b, T, c.inner) * F.silu(z)))


class Experts(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.router = nn.Linear(c.width, c.experts, bias=False)
        self.gate_up = nn.Parameter(torch.randn(c.experts, 2 * c.expert_width, c.width) / math.sqrt(3 * c.width))
        self.down = nn.Parameter(torch.randn(c.experts, c.width, c.expert_width) / math.sqrt(3 * c.expert_width))

    def forward(self, u):
        c, flat = self.c, u.reshape(-1, u.shape[-1])
        logits = self.router(flat).float()
        top, chosen = logits.topk(c.used, -1)
        gates = top.softmax(-1)
        share = torch.bincount(chosen.flatten(), minlength=c.experts).float() / chosen.numel()
        balance = c.experts * (share * logits.softmax(-1).mean(0)).sum()
        out = torch.zeros_like(flat)
        for x in range(c.experts):
            token, place = (chosen == x).nonzero(as_tuple=True)
            gate, up = F.linear(flat[token], self.gate_up[x]).chunk(2, -1)
            y = F.linear(F.silu(gate) * up, self.down[x])
            out = out.index_add(0, token, (y * gates[token, place].unsqueeze(-1)).to(out.dtype))
        return out.view_as(u), balance


class Model(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embedding = nn.Embedding(c.vocabulary, c.width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.layers = nn.ModuleList(
            nn.ModuleList([RMSNorm(c.width), Mamba2(c), RMSNorm(c.width), Experts(c)]) for _ in range(c.layers))
        self.norm = RMSNorm(c.width)

    def forward(self, tokens, targets):
        x, balance = self.embedding(tokens), 0
        for norm1, mixer, norm2, experts in self.layers:
            x = x + mixer(norm1(x))
            out, loss = experts(norm2(x))
            x, balance = x + out, balance + loss
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten()) + 0.01 * balance


class Torch:
    def __init__(self, c):
        torch.manual_seed(0)
        self.c, self.model = c, Model(c)
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1)
        self.parameters = sum(p.numel() for p in self.model.parameters())

    def step(self):
        stream = torch.randint(0, self.c.vocabulary, (self.c.batch, self.c.seq + 1))
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=not self.c.f32):
            loss = self.model(stream[:, :-1], stream[:, 1:])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss.item()

    def run(self, steps):
        times = []
        for _ in range(steps):
            start = time.perf_counter()
            self.step()
            times.append(self.c.batch * self.c.seq / (time.perf_counter() - start))
        return times


def trainer(c, steps, folder):
    """Tokens/s of every step but the first two, which set things up; and the line that says what ran."""
    command = [c.trainer, '--data', os.path.join(folder, 'tokens.bin'), '--out', os.path.join(folder, 'model.gguf'),
               '--steps', str(steps + 2), '--log-every', '1', '--save-every', '0', '--warmup', '1']
    for name in ('vocabulary', 'width', 'layers', 'inner', 'state', 'heads', 'experts', 'used', 'expert-width', 'seq',
                 'batch'):
        command += [f'--{name}', str(getattr(c, name.replace('-', '_')))]
    if c.f32:
        command += ['--precision', 'f32']
    environment = dict(os.environ, OMP_NUM_THREADS=str(c.threads))
    text = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    speeds = [float(s) for s in re.findall(r'(\d+) tokens/s', text)]
    return speeds[2:], text.splitlines()[0]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('--trainer', default='build/native/itera-train')
    for name, value in dict(vocabulary=4096, width=256, layers=6, inner=512, state=64, heads=8, experts=8, used=2,
                            expert_width=256, chunk=64, seq=256, batch=32, steps=3, rounds=2,
                            threads=len(os.sched_getaffinity(0))).items():
        p.add_argument('--' + name.replace('_', '-'), type=int, default=value)
    p.add_argument('--f32', action='store_true', help='both in f32')
    c = p.parse_args()
    torch.set_num_threads(c.threads)
    theirs, ours = [], []
    reference = Torch(c)
    reference.step()  # sets things up
    with tempfile.TemporaryDirectory() as folder:
        count = (c.steps + 3) * c.batch * c.seq + c.seq
        numpy.random.default_rng(0).integers(0, c.vocabulary, count).astype('<u2').tofile(
            os.path.join(folder, 'tokens.bin'))
        for _ in range(c.rounds):
            speeds, line = trainer(c, c.steps, folder)
            ours += speeds
            theirs += reference.run(c.steps)
    precision = 'f32' if c.f32 else 'bf16'
    print(f'{line}\nPyTorch {torch.__version__}, {precision}: {reference.parameters} parameters, {c.threads} threads; '
          f'batch {c.batch} x {c.seq}')
    print('tokens/s, all steps: trainer', *(f'{s:.0f}' for s in ours), '| PyTorch', *(f'{s:.0f}' for s in theirs))
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f'trainer {a:.0f} tokens/s, PyTorch {b:.0f} tokens/s: {a / b:.2f} times')


if __name__ == '__main__':
    main()
