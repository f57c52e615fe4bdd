// About the native library itself.
using System;
using Flagstone.Interop;

namespace Flagstone;

/// <summary>The native library that this process uses.</summary>
public static class FlagstoneLibrary
{
    private const ulong FeatureTls = 1;

    /// <summary>Its version, for example <c>0.1.0</c>.</summary>
    /// <exception cref="FlagstoneLibraryException">It is missing or is another one.</exception>
    public static unsafe string Version
    {
        get
        {
            NativeLoader.EnsureLoaded();
            return Utf8.ToString(NativeMethods.flagstone_version_string());
        }
    }

    /// <summary>Version of its binary interface.</summary>
    /// <exception cref="FlagstoneLibraryException">It is missing or is another one.</exception>
    public static Version AbiVersion
    {
        get
        {
            NativeLoader.EnsureLoaded();
            uint version = NativeMethods.flagstone_abi_version();
            return new Version((int)(version >> 16), (int)(version & 0xFFFF));
        }
    }

    /// <summary>Whether <c>rediss://</c> URLs work.</summary>
    /// <exception cref="FlagstoneLibraryException">It is missing or is another one.</exception>
    public static bool SupportsTls
    {
        get
        {
            NativeLoader.EnsureLoaded();
            return (NativeMethods.flagstone_features() & FeatureTls) != 0;
        }
    }
}
