"""An independent implementation of the three models that the trainer knows, in PyTorch, and the golden gradients.

    python3 tests/golden/train/reference.py          writes itera2.bin, itera-lite.bin, transformer.bin beside itself

The models are written from their equations (the scans step by step, experts one by one), in double precision;
gradients are autograd's. A golden file holds random parameters, tokens, the loss and every gradient:

    magic "ITERAGR1"
    12 u32: arch, V, D, L, E, N, taps, heads, groups, experts, used, F;  3 u32: shared_F, P, B;  u32 T
    2 f32: eps, router weight;  f64: cross-entropy a token;  f64: sum of the routers' losses
    i32 tokens [B, T], i32 targets [B, T]
    u32 tensor count; for each: u32 length and bytes of its name, u32 elements, f32 values, f32 gradients
"""
import math
import os
import struct

import torch
import torch.nn.functional as F

ARCHS = ('itera2', 'itera-lite', 'transformer')


def rms_norm(x, w, eps):
    return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + eps) * w


def conv_silu(x, w, b):
    """x [B, T, C], w [C, taps]: causal, one filter a channel."""
    taps = w.shape[1]
    padded = F.pad(x.transpose(1, 2), (taps - 1, 0))
    return F.silu(F.conv1d(padded, w.unsqueeze(1), b, groups=w.shape[0])).transpose(1, 2)


def mamba2(u, p, c):
    B, T, _ = u.shape
    E, N, G, H = c['E'], c['N'], c['groups'], c['heads']
    P = E // H
    z, xbc, dt = torch.split(u @ p['ssm_in.weight'].T, [E, E + 2 * G * N, H], -1)
    xbc = conv_silu(xbc, p['ssm_conv1d.weight'], p['ssm_conv1d.bias'])
    x, Bm, Cm = torch.split(xbc, [E, G * N, G * N], -1)
    dt = F.softplus(dt + p['ssm_dt.bias'])
    A = -torch.exp(p['ssm_a'].reshape(H))
    x = x.reshape(B, T, H, P)
    Bm = Bm.reshape(B, T, G, N).repeat_interleave(H // G, 2)
    Cm = Cm.reshape(B, T, G, N).repeat_interleave(H // G, 2)
    h, ys = torch.zeros(B, H, N, P, dtype=u.dtype), []
    for t in range(T):
        h = torch.exp(dt[:, t] * A)[..., None, None] * h + torch.einsum('bh,bhn,bhp->bhnp', dt[:, t], Bm[:, t], x[:, t])
        ys.append(torch.einsum('bhn,bhnp->bhp', Cm[:, t], h) + p['ssm_d'].reshape(H, 1) * x[:, t])
    y = torch.stack(ys, 1).reshape(B, T, E) * F.silu(z)
    y = rms_norm(y.reshape(B, T, G, E // G), p['ssm_norm.weight'].reshape(G, E // G), c['eps']).reshape(B, T, E)
    return y @ p['ssm_out.weight'].T


def seed_mixer(u, p, c):
    a, g = (u @ p['ssm_in.weight'].T).chunk(2, -1)
    a = conv_silu(a, p['ssm_conv1d.weight'], p['ssm_conv1d.bias'])
    dt = F.softplus(a @ p['ssm_dt.weight'].T + p['ssm_dt.bias']).mean(-1, keepdim=True)
    A, h, ys = -torch.exp(p['ssm_a']), 0, []
    for t in range(u.shape[1]):
        h = torch.exp(dt[:, t] * A) * h + dt[:, t] * (a[:, t] @ p['ssm_b.weight'].T)
        ys.append(h @ p['ssm_c.weight'].T + p['ssm_d'] * a[:, t])
    return (torch.stack(ys, 1) * F.silu(g)) @ p['ssm_out.weight'].T


def attention(u, p, c):
    B, T, D = u.shape
    q, k, v = (x.reshape(B, T, c['heads'], -1).transpose(1, 2) for x in (u @ p['attn_qkv.weight'].T).chunk(3, -1))
    scores = q @ k.transpose(2, 3) / math.sqrt(q.shape[-1])
    scores = scores.masked_fill(torch.ones(T, T).triu(1).bool(), -math.inf)
    return (scores.softmax(-1) @ v).transpose(1, 2).reshape(B, T, D) @ p['attn_output.weight'].T


def dense(u, p, c, suffix=''):
    up = u @ p[f'ffn_up{suffix}.weight'].T
    if c['arch'] == 'itera2':
        up = F.silu(u @ p[f'ffn_gate{suffix}.weight'].T) * up
    else:
        up = F.gelu(up)
    return up @ p[f'ffn_down{suffix}.weight'].T


def experts(u, p, c):
    """Returns the output and the router's own loss."""
    flat = u.reshape(-1, u.shape[-1])
    logits = flat @ p['ffn_gate_inp.weight'].T
    top, chosen = logits.topk(c['used'], -1)
    gates, mean = top.softmax(-1), logits.softmax(-1).mean(0)
    out = 0
    for x in range(c['experts']):
        up = flat @ p['ffn_up_exps.weight'][x].T
        if c['arch'] == 'itera2':
            up = F.silu(flat @ p['ffn_gate_exps.weight'][x].T) * up
        else:
            up = F.gelu(up)
        out = out + (gates * (chosen == x)).sum(-1, keepdim=True) * (up @ p['ffn_down_exps.weight'][x].T)
    if c['arch'] == 'itera2':
        share = torch.bincount(chosen.flatten(), minlength=c['experts']).to(u.dtype) / chosen.numel()
        loss = c['experts'] * (share * mean).sum()
    else:
        loss = (mean.std() / (mean.mean() + 1e-6)) ** 2
    out = out.reshape(u.shape)
    if c['shared_F']:
        out = out + dense(u, p, c, '_shexp')
    return out, loss


def forward(tokens, p, c):
    """Logits and the sum of the routers' losses. p: tensors by their name in the GGUF file."""
    def norm(x, name):
        if c['arch'] == 'itera2':
            return rms_norm(x, p[f'{name}.weight'], c['eps'])
        return F.layer_norm(x, x.shape[-1:], p[f'{name}.weight'], p[f'{name}.bias'], c['eps'])

    mixer = {'itera2': mamba2, 'itera-lite': seed_mixer, 'transformer': attention}[c['arch']]
    x, balance = p['token_embd.weight'][tokens], 0
    if c['P']:
        x = x + p['position_embd.weight'][: tokens.shape[1]]
    for layer in range(c['L']):
        mine = {k.split('.', 2)[2]: v for k, v in p.items() if k.startswith(f'blk.{layer}.')}
        x = x + mixer(norm(x, f'blk.{layer}.attn_norm'), mine, c)
        u = norm(x, f'blk.{layer}.ffn_norm')
        if 'ffn_gate_inp.weight' in mine:
            out, loss = experts(u, mine, c)
            balance = balance + loss
        else:
            out = dense(u, mine, c)
        x = x + out
    return norm(x, 'output_norm') @ p['token_embd.weight'].T, balance


def shapes(c):
    """Name -> shape, in PyTorch's order (the reverse of the file's)."""
    D, E, N, H, X, W, G = (c[k] for k in ('D', 'E', 'N', 'heads', 'experts', 'F', 'groups'))
    all_norms = ['weight'] if c['arch'] == 'itera2' else ['weight', 'bias']
    s = {'token_embd.weight': (c['V'], D)}
    if c['P']:
        s['position_embd.weight'] = (c['P'], D)
    for i in range(c['L']):
        b = f'blk.{i}.'
        for part in all_norms:
            s[f'{b}attn_norm.{part}'] = s[f'{b}ffn_norm.{part}'] = (D,)
        if c['arch'] == 'itera2':
            C = E + 2 * G * N
            s.update({f'{b}ssm_in.weight': (E + C + H, D), f'{b}ssm_conv1d.weight': (C, c['taps']),
                      f'{b}ssm_conv1d.bias': (C,), f'{b}ssm_dt.bias': (H,), f'{b}ssm_a': (H, 1), f'{b}ssm_d': (H, 1),
                      f'{b}ssm_norm.weight': (G, E // G), f'{b}ssm_out.weight': (D, E)})
        elif c['arch'] == 'itera-lite':
            s.update({f'{b}ssm_in.weight': (2 * E, D), f'{b}ssm_conv1d.weight': (E, c['taps']),
                      f'{b}ssm_conv1d.bias': (E,), f'{b}ssm_dt.weight': (E, E), f'{b}ssm_dt.bias': (E,),
                      f'{b}ssm_a': (N,), f'{b}ssm_b.weight': (N, E), f'{b}ssm_c.weight': (E, N), f'{b}ssm_d': (E,),
                      f'{b}ssm_out.weight': (D, E)})
        else:
            s.update({f'{b}attn_qkv.weight': (3 * D, D), f'{b}attn_output.weight': (D, D)})
        if X and (c['arch'] == 'itera2' or i % 2 == 1):
            s[f'{b}ffn_gate_inp.weight'] = (X, D)
            kinds = ('gate', 'up') if c['arch'] == 'itera2' else ('up',)
            for kind in kinds:
                s[f'{b}ffn_{kind}_exps.weight'] = (X, W, D)
            s[f'{b}ffn_down_exps.weight'] = (X, D, W)
            if c['shared_F']:
                for kind in kinds:
                    s[f'{b}ffn_{kind}_shexp.weight'] = (c['shared_F'], D)
                s[f'{b}ffn_down_shexp.weight'] = (D, c['shared_F'])
        else:
            s[f'{b}ffn_up.weight'], s[f'{b}ffn_down.weight'] = (W, D), (D, W)
    for part in all_norms:
        s[f'output_norm.{part}'] = (D,)
    return s


def golden(path, c, B, T):
    torch.manual_seed(20240229)
    p = {}
    for name, shape in shapes(c).items():
        value = torch.randn(shape) * 0.3
        if 'norm.weight' in name or name.endswith('ssm_d'):
            value += 1
        if name.endswith('ssm_dt.bias'):
            value -= 1
        p[name] = value.float().double().requires_grad_()  # exactly what the file will hold
    stream = torch.randint(0, c['V'], (B, T + 1))
    tokens, targets = stream[:, :-1].contiguous(), stream[:, 1:].contiguous()
    logits, balance = forward(tokens, p, c)
    loss = F.cross_entropy(logits.reshape(-1, c['V']), targets.reshape(-1))
    (loss + c['router_weight'] * balance).backward()
    with open(path, 'wb') as f:
        f.write(b'ITERAGR1' + struct.pack('<16I', ARCHS.index(c['arch']), *(c[k] for k in (
            'V', 'D', 'L', 'E', 'N', 'taps', 'heads', 'groups', 'experts', 'used', 'F', 'shared_F', 'P')), B, T))
        f.write(struct.pack('<2f2d', c['eps'], c['router_weight'], loss.item(), float(balance)))
        f.write(tokens.int().numpy().tobytes() + targets.int().numpy().tobytes() + struct.pack('<I', len(p)))
        for name, value in p.items():
            f.write(struct.pack('<I', len(name)) + name.encode() + struct.pack('<I', value.numel()))
            f.write(value.detach().float().numpy().tobytes() + value.grad.float().numpy().tobytes())
    print(f'{path}: {sum(v.numel() for v in p.values())} parameters, loss {loss.item():.9f}, '
          f'routers {float(balance):.9f}, {os.path.getsize(path)} bytes')


def main():
    torch.set_num_threads(1)
    here = os.path.dirname(os.path.abspath(__file__))
    # The router's weight is exact in f32, so that both sides multiply by the same number.
    common = dict(V=41, D=16, taps=4, eps=1e-5, router_weight=0.125)
    golden(os.path.join(here, 'itera2.bin'), dict(
        arch='itera2', L=2, E=24, N=6, heads=4, groups=2, experts=4, used=2, F=10, shared_F=7, P=0, **common), 3, 21)
    golden(os.path.join(here, 'itera-lite.bin'), dict(
        arch='itera-lite', L=2, E=22, N=5, heads=0, groups=1, experts=4, used=2, F=12, shared_F=0, P=24, **common), 3, 19)
    golden(os.path.join(here, 'transformer.bin'), dict(
        arch='transformer', L=2, E=0, N=0, heads=4, groups=1, experts=0, used=0, F=20, shared_F=0, P=24, **common), 3, 19)


if __name__ == '__main__':
    main()
