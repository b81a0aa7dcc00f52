"""What a type checker sees of the builders; mypy reads this file, nothing runs it.

Each wrong line has the error that it must give: mypy fails where one is missing, too, since
`strict` reports a `type: ignore` without use.
"""

import keras_ilsvrc
from keras_ilsvrc import cifar

# As in keras.applications, by keyword and by position.
keras_ilsvrc.ResNet50(weights=None, include_top=False, pooling="avg", input_shape=(64, 64, 3))
keras_ilsvrc.ResNet50(True, None, None, (64, 64, 3), None, 10, None, "mine", stride_on="3x3")
keras_ilsvrc.VGG16(column="C", classifier_activation=None, weight_decay=1e-4)
keras_ilsvrc.DenseNet161(growth=24, kernel_initializer="he_normal", name="narrow")
cifar.ResNet(20, shortcut="B", classes=100)
cifar.AlexNet(towers=1, include_top=False)

# A keyword that no builder has, of each way in which builders are made.
keras_ilsvrc.ResNet50(colour="red")  # type: ignore[call-arg]
keras_ilsvrc.InceptionV3(colour="red")  # type: ignore[call-arg]
cifar.ResNet(20, colour="red")  # type: ignore[call-arg]

# A keyword of another network.
keras_ilsvrc.VGG16(shortcut="B")  # type: ignore[call-arg]
keras_ilsvrc.ResNet50(towers=1)  # type: ignore[call-arg]

# Values of another type, or none of the choices.
keras_ilsvrc.ResNet50(include_top="yes")  # type: ignore[arg-type]
keras_ilsvrc.ResNet50("imagenet")  # type: ignore[arg-type]
keras_ilsvrc.ResNet50(weights=1)  # type: ignore[arg-type]
keras_ilsvrc.ResNet50(input_shape=224)  # type: ignore[arg-type]
keras_ilsvrc.ResNet50(pooling="mean")  # type: ignore[arg-type]
keras_ilsvrc.ResNet50(classes="10")  # type: ignore[arg-type]
keras_ilsvrc.ResNet50(classifier_activation=1)  # type: ignore[arg-type]
keras_ilsvrc.ResNet50(name=50)  # type: ignore[arg-type]
keras_ilsvrc.ResNet50(stride_on="5x5")  # type: ignore[arg-type]
keras_ilsvrc.VGG16(column="E")  # type: ignore[arg-type]
keras_ilsvrc.SENet154(output_stride=4)  # type: ignore[arg-type]
cifar.ResNet("20")  # type: ignore[arg-type]
cifar.ResNet()  # type: ignore[call-arg]
