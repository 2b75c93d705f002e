"""The networks of `functional_nn.models`, written in torch.nn from the papers and the report."""

from torch import nn

from functional_nn import layers, models


class Perceptron(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(3 * 8 * 8, 64)
        self.output = nn.Linear(64, 5)

    def forward(self, x):
        return self.output(self.hidden(x.flatten(1)).sigmoid())


class LeNet5(nn.Module):
    def __init__(self, activation):
        super().__init__()
        self.c1, self.c3 = nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)
        self.f5, self.f6, self.f7 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)
        self.activation, self.pool = activation, nn.MaxPool2d(2)

    def forward(self, x):
        f = self.activation
        x = self.pool(f(self.c3(self.pool(f(self.c1(x))))))
        return self.f7(f(self.f6(f(self.f5(x.flatten(1))))))


class ImprovedLeNet5(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c3, self.c5 = nn.Conv2d(1, 6, 3), nn.Conv2d(6, 16, 3), nn.Conv2d(16, 6, 3)
        self.f6, self.f7, self.f8 = nn.LazyLinear(120), nn.Linear(120, 84), nn.Linear(84, 50)
        self.f, self.pool, self.pad = nn.SiLU(), nn.MaxPool2d(2), nn.ZeroPad2d((0, 1, 0, 1))

    def forward(self, x):
        f, pool, pad = self.f, self.pool, self.pad
        x = pool(f(self.c1(x)))
        x = pad(pool(pad(f(self.c3(x)))))
        x = f(self.c5(x)).flatten(1)
        return self.f8(f(self.f7(f(self.f6(x)))))


class Body(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.c1 = nn.Conv2d(channels, filters, 3, stride, padding=1)
        self.n1 = nn.GroupNorm(8, filters)
        self.c2 = nn.Conv2d(filters, filters, 3, padding=1)
        self.n2 = nn.GroupNorm(8, filters)

    def forward(self, x):
        return self.n2(self.c2(nn.functional.silu(self.n1(self.c1(x)))))


class Block(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.body = Body(channels, filters, stride)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(channels, filters, 1, stride)

    def forward(self, x):
        return nn.functional.silu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.n0 = nn.Conv2d(3, 16, 3, padding=1), nn.GroupNorm(8, 16)
        self.block1, self.block2, self.block3 = Block(16, 16, 1), Block(16, 32, 2), Block(32, 32, 1)
        self.output = nn.Linear(32, 10)

    def forward(self, x):
        x = nn.functional.silu(self.n0(nn.functional.max_pool2d(self.stem(x), 2)))
        return self.output(self.block3(self.block2(self.block1(x))).mean((2, 3)))


MODELS = {
    "two_layer_perceptron": (models.two_layer_perceptron(classes=5), Perceptron, (8, 8, 3)),
    "lenet5": (models.lenet5(activation=layers.tanh), lambda: LeNet5(nn.Tanh()), (32, 32, 3)),
    "improved_lenet5": (models.improved_lenet5(), ImprovedLeNet5, (32, 32, 1)),
    "small_resnet": (models.small_resnet(width=16), ResNet, (16, 16, 3)),
}
