"""The PyTorch twin of `models.Transformer`, with GPT-2's names and PyTorch's linear layers."""

import torch
from torch import nn
from torch.nn import functional


class Attention(nn.Module):
    """Causal attention, fused."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        """Of x (batch, time, width)."""
        batch, time, width = x.shape
        parts = self.c_attn(x).view(batch, time, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(*parts, is_causal=True)
        return self.c_proj(attended.transpose(1, 2).reshape(batch, time, width))


class Mlp(nn.Module):
    """Two linear layers and GELU."""

    def __init__(self, width):
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        """Of x (batch, time, width)."""
        return self.c_proj(functional.gelu(self.c_fc(x), approximate="tanh"))


class Block(nn.Module):
    """Two residual functions."""

    def __init__(self, width, heads):
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), Attention(width, heads)
        self.ln_2, self.mlp = nn.LayerNorm(width), Mlp(width)

    def functions(self):
        """Both."""
        return (lambda x: self.attn(self.ln_1(x))), (lambda x: self.mlp(self.ln_2(x)))


class Transformer(nn.Module):
    """From tokens (batch, time) to logits; with `gamma` > 0 its layers have momentum."""

    def __init__(self, vocabulary, context, width, heads, blocks, gamma=0.0):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.h = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.ln_f, self.gamma = nn.LayerNorm(width), gamma

    def forward(self, tokens):
        """Compute the logits with stored activations."""
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1]))
        v = torch.zeros_like(x)
        for block in self.h:
            for function in block.functions():
                v = self.gamma * v + (1 - self.gamma) * function(x)
                x = x + v
        return functional.linear(self.ln_f(x), self.wte.weight)
