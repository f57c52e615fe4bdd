// Attribute values as objects: those that come again and again are made once.
namespace Flagstone;

internal static class Boxes
{
    private const int Small = 256;

    private static readonly object s_true = true;
    private static readonly object s_false = false;
    private static readonly object?[] s_small = new object?[Small];

    internal static object Of(bool value) => value ? s_true : s_false;

    internal static object Of(double value)
    {
        int whole = (int)value;
        // Minus zero is not zero.
        return whole == value && whole is > 0 and < Small ? s_small[whole] ??= value : value;
    }
}
