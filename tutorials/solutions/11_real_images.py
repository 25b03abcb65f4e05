"""Solutions of notebook 11; each block replaces the stub of the exercise with that number."""

# %% 11.1
# A convolution from a to b channels has 9 a b numbers, and the norm behind it 2 b.


def parameter_count(blocks, width):
    count = 9 * 3 * width + 2 * width
    before = width
    for c in (width, 2 * width, 4 * width):
        count += 9 * before * c + (2 * blocks - 1) * 9 * c * c + 2 * blocks * 2 * c
        before = c
    return count + 10 * before + 10


# %% 11.2
# Behind the first and second convolution, and behind their norms with ReLU: four arrays of w channels.  Behind the
# third convolution and behind the block: two of 4 w.  In all 12 w numbers a pixel, of 4 bytes.  A block of two 3x3
# convolutions for as many channels, 4 w, keeps 16 w.


def kept_by_bottleneck(images, height, width, w):
    return images * height * width * (4 * w + 2 * 4 * w) * 4


# %% 11.3
# x = x_{n+1} - v_{n+1} first; f is evaluated there, and gives v_n.


def undo_stage(blocks, gamma, x, v):
    passed = [x]
    for block in reversed(blocks):
        x = x - v
        v = (v - (1 - gamma) * (block(x) - x)) / gamma
        passed.append(x)
    return passed[::-1]


# %% 11.4
# For gamma = 0.9 and a share of 0.8 it is 45 layers, more than in any stage of the usual ResNets.  Summed, the mean is
# 1 - gamma (1 - gamma^N) / (N (1 - gamma)), here about 1 - 9 / N.


def layers_needed(gamma, share):
    depth = 1
    while np.mean(1 - gamma ** np.arange(depth, 0, -1)) < share:
        depth += 1
    return depth


# %% 11.5
# Two measurements give the constant and the bytes an image; the rest is a division, rounded down.


def largest_batch(peak_bytes, budget):
    few, many = 2, 16
    first, last = peak_bytes(few), peak_bytes(many)
    per_image = (last - first) / (many - few)
    fixed = first - few * per_image
    return max(0, int((budget - fixed) // per_image))
